/**
 * @module Who contends for names, as others see it: the reading side of the layout that `ownership.ts` writes and that
 * etcd's Go package `concurrency` and `etcdctl lock` and `elect` share. A contender's key is `<name>/<lease in hex>`, it
 * hangs on that lease, and the one that was created first owns the name.
 */

import type { CallOptions } from "./calls/call-scope.ts";
import type { ClientView } from "./client.ts";
import { inBatches } from "./in-batches.ts";
import { prefix } from "./kv/key-range.ts";
import type { KeyValue } from "./kv/key-value.ts";

/** One who owns a name or waits for it. */
export interface Contender {
  /** The contender's key. */
  readonly key: string;
  /** Its fence, if it owns or comes to own the name: the revision at which it entered the queue. */
  readonly fence: number;
  /** The lease it lives on. */
  readonly lease: bigint;
  /** What it says of itself. */
  readonly value: string;
  /** The revision at which it said so. */
  readonly revision: number;
}

/** Everybody who contends for a name, at one revision. */
export interface Contention {
  /** The name. */
  readonly name: string;
  /** The owner, then those who wait, in the order in which they will own the name. */
  readonly contenders: readonly Contender[];
}

/** What contends in a part of the store, at one revision. */
export interface ContentionListing {
  /** The revision. */
  readonly revision: number;
  /** The names that somebody contends for, in their order. */
  readonly contentions: readonly Contention[];
}

/**
 * Reads who contends for a name. A key further down counts too (`<name>/a/b`): whoever waits for the name waits for it.
 *
 * @param options.revision - the revision to read at; default: the present one
 */
export async function readContenders(
  client: ClientView,
  name: string,
  options: CallOptions & { readonly revision?: number } = {},
): Promise<{ readonly revision: number; readonly contenders: readonly Contender[] }> {
  const { kvs, revision } = await client.range(prefix(`${name}/`), { ...options, sortBy: "createRevision" });
  return { revision, contenders: kvs.map(toContender) };
}

/**
 * Finds the names that somebody contends for. Locks and elections have the same layout and cannot be told apart; other
 * keys are passed over, unless they end in the number of the lease that they hang on.
 *
 * @param start - what the names start with; empty for all
 */
export async function listContentions(
  client: ClientView,
  start: string,
  options: CallOptions = {},
): Promise<ContentionListing> {
  const names = new Set<string>();
  let revision = 0;
  for await (const page of client.pages(prefix(start), { ...options, keysOnly: true })) {
    if (revision === 0) revision = page.revision;
    for (const kv of page.kvs) {
      const name = nameOf(kv);
      if (name !== undefined) names.add(name);
    }
  }
  const contentions = await inBatches([...names].sort(), async (name): Promise<Contention> => {
    const { contenders } = await readContenders(client, name, { ...options, revision });
    return { name, contenders };
  });
  return { revision, contentions };
}

/** The name that a contender's key is about; undefined for any other key. */
function nameOf({ keyString, lease }: KeyValue): string | undefined {
  const slash = keyString.lastIndexOf("/");
  const isContender = lease !== 0n && slash > 0 && keyString.slice(slash + 1) === lease.toString(16);
  return isContender ? keyString.slice(0, slash) : undefined;
}

function toContender({ keyString, valueString, createRevision, modRevision, lease }: KeyValue): Contender {
  return { key: keyString, fence: createRevision, lease, value: valueString, revision: modRevision };
}
