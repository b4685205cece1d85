/**
 * @module The queue behind locks and elections, in the layout of etcd's Go package `concurrency`: whoever wants
 * in puts a key `<name>/<lease in hex>`; the one whose key was created first is in.
 */
import { utf8 } from "@conclave/base";
import type { Client } from "@conclave/client";
import {
  Compare,
  RangeRequest,
  RequestOp,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
  Compare_CompareTarget as Target,
} from "@conclave/protocol/etcdserverpb";
import { Event_EventType, type KeyValue } from "@conclave/protocol/mvccpb";
import type { CommandContext } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { parseKeyRange, type WireRange } from "./key-range.ts";

/** A place in the queue. */
export interface Place {
  /** What is queued for. */
  readonly name: string;
  /** The key that holds the place. */
  readonly key: string;
  /** When the key was created: who has a lower one is served before. */
  readonly createRevision: number;
}

/** All keys of a queue. */
export function keysOf(name: string): WireRange {
  return parseKeyRange([`${name}/`], { prefix: true, fromKey: false });
}

/** Takes a place at the end of the queue; it is lost with the lease. */
export async function joinQueue(
  client: Client,
  { name, lease, value }: { readonly name: string; readonly lease: bigint; readonly value: string },
): Promise<Place> {
  const key = `${name}/${lease.toString(16)}`;
  const bytes = utf8(key);
  const absent = Compare.fromPartial({
    key: bytes,
    target: Target.CREATE,
    targetUnion: { $case: "createRevision", value: 0n },
  });
  const put = RequestOp.fromPartial({
    request: { $case: "requestPut", value: { key: bytes, value: utf8(value), lease } },
  });
  const get = RequestOp.fromPartial({ request: { $case: "requestRange", value: { key: bytes } } });
  const request = { compare: [absent], success: [put], failure: [get] };
  const { header, responses } = await client.raw.kv.txn(request, { idempotent: true });
  // The lease is fresh: the key can only be there already if a try whose answer was lost has put it.
  const first = responses[0]?.response;
  const found = first?.$case === "responseRange" ? first.value.kvs[0] : undefined;
  return { name, key, createRevision: found?.createRevision ?? header?.revision ?? 0 };
}

/**
 * Waits until nobody stands before a place.
 *
 * @returns the revision at which that was so
 */
export async function waitForTurn(context: CommandContext, place: Place, signal: AbortSignal): Promise<number> {
  for (;;) {
    const ahead = RangeRequest.fromPartial({
      ...keysOf(place.name),
      maxCreateRevision: BigInt(place.createRevision - 1),
      sortTarget: SortTarget.CREATE,
      sortOrder: SortOrder.DESCEND,
      limit: 1n,
    });
    const { header, kvs } = await context.client.raw.kv.range(ahead, { signal });
    const revision = header?.revision ?? 0;
    if (kvs[0] === undefined) return revision;
    await waitForDeletion(context, kvs[0], { revision, signal });
  }
}

async function waitForDeletion(
  { watch }: CommandContext,
  { key }: KeyValue,
  { revision, signal }: { readonly revision: number; readonly signal: AbortSignal },
): Promise<void> {
  for await (const { events } of watch({ key, startRevision: BigInt(revision + 1) }, signal))
    if (events.some(({ type }) => type === Event_EventType.DELETE)) return;
}

/**
 * Runs what may be interrupted by the user or by the loss of the session, and says which it was.
 *
 * @throws CommandError `context canceled` or `session expired` in place of what the work threw
 */
export async function untilInterrupted<Result>(
  interrupted: AbortSignal,
  lost: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  try {
    return await work(AbortSignal.any([interrupted, lost]));
  } catch (error) {
    if (lost.aborted) throw new CommandError(exitCodes.failure, "session expired", { cause: error });
    if (interrupted.aborted) throw new CommandError(exitCodes.failure, "context canceled", { cause: error });
    throw error;
  }
}

/** Resolves when the user interrupts. @throws CommandError `session expired` if the session is lost before */
export async function holdUntilInterrupted(interrupted: AbortSignal, lost: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onLost = () => reject(new CommandError(exitCodes.failure, "session expired"));
    if (interrupted.aborted) resolve();
    else if (lost.aborted) onLost();
    interrupted.addEventListener("abort", () => resolve());
    lost.addEventListener("abort", onLost);
  });
}
