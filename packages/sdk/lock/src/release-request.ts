/**
 * @module Asking a holder to give way. The request is a key of its own on the holder's lease: it reaches this holder and no
 * later one, it is gone with it, and the holder's own key stays as it is, for everybody's place in the queue.
 */
import { type CallOptions, type ClientView, compare, type Ownership, onAbort, op } from "@conclave/client";
import * as z from "zod";
import { describeContender, type LockContender, parseDescription } from "./contender.ts";

/** How to ask a holder to give way. */
export interface RequestReleaseOptions extends CallOptions {
  /** Why, for the holder to read. Default: nothing. */
  readonly reason?: string | undefined;
}

/** Somebody asks the holder to give way. Whether and when it does is its own decision. */
export interface ReleaseRequest {
  /** Who asks, as it calls itself. */
  readonly by: string;
  /** The host of who asks; undefined if it does not say. */
  readonly host: string | undefined;
  /** Why; empty if it does not say. */
  readonly reason: string;
}

const requestSchema = z.object({ reason: z.string() });

function requestKey(name: string, fence: number): string {
  return `${name}.release/${fence}`;
}

/**
 * Asks one holder to give way.
 *
 * @param by - what the one who asks calls itself
 * @returns whether it was still there to be asked
 */
export async function askToRelease(
  client: ClientView,
  { name, by }: { readonly name: string; readonly by: string | undefined },
  { key, fence, lease }: LockContender,
  { reason = "", ...call }: RequestReleaseOptions,
): Promise<boolean> {
  const value = { ...parseDescription(describeContender(client, { holder: by })), reason };
  const { succeeded } = await client
    .txn()
    .if(compare.createRevision(key).equal(fence))
    .then(op.put(requestKey(name, fence), JSON.stringify(value), { lease }))
    .commit({ ...call, idempotent: true });
  return succeeded;
}

/**
 * The requests that a holder gets, those from before the call too. Ends when the name is no longer owned, or when `signal`
 * aborts.
 */
export async function* releaseRequestsOf(
  client: ClientView,
  name: string,
  { fence, signal: owned }: Ownership,
  signal?: AbortSignal,
): AsyncGenerator<ReleaseRequest, void, undefined> {
  await using watcher = client.watch(requestKey(name, fence), { from: fence + 1, only: "put", onCompaction: "resync" });
  // A watch that is closed ends its iteration without an error.
  const unlisten = [owned, ...(signal === undefined ? [] : [signal])].map((each) => {
    if (each.aborted) watcher.close();
    return onAbort(each, () => watcher.close());
  });
  try {
    for await (const { events } of watcher) for (const { kv } of events) yield toRequest(kv.valueString);
  } finally {
    for (const stop of unlisten) stop();
  }
}

function toRequest(value: string): ReleaseRequest {
  const description = parseDescription(value);
  if (description === undefined) return { by: value, host: undefined, reason: "" };
  const { reason = "" } = requestSchema.safeParse(JSON.parse(value)).data ?? {};
  return { by: description.holder, host: description.host, reason };
}
