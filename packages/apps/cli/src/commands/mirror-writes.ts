/**
 * @module What a mirror writes at its destination: the keys of the source under other names, and never two revisions
 * of the source in one transaction, so that no reader there sees a state that was not.
 */
import { concatBytes, emptyBytes } from "@conclave/base";
import { RequestOp } from "@conclave/protocol/etcdserverpb";
import { type Event, Event_EventType, type KeyValue } from "@conclave/protocol/mvccpb";

/** How keys are named at the destination. */
export interface MirrorNames {
  /** What the mirrored keys start with. */
  readonly prefix: Uint8Array;
  /** What takes the place of that. */
  readonly destinationPrefix: Uint8Array;
}

/** Names a key of the source at the destination. */
export function mirrorKey(key: Uint8Array, { prefix, destinationPrefix }: MirrorNames): Uint8Array {
  return concatBytes([destinationPrefix, key.subarray(prefix.length)]);
}

/** The writes that bring a key of the source to the destination. Leases are the source's own and stay there. */
export function mirrorPut({ key, value }: KeyValue, names: MirrorNames): RequestOp {
  return RequestOp.fromPartial({
    request: { $case: "requestPut", value: { key: mirrorKey(key, names), value } },
  });
}

/** The operation that does at the destination what an event did at the source. */
export function mirrorEvent({ type, kv }: Event, names: MirrorNames): RequestOp {
  if (kv !== undefined && type === Event_EventType.PUT) return mirrorPut(kv, names);
  const key = mirrorKey(kv?.key ?? emptyBytes, names);
  return RequestOp.fromPartial({ request: { $case: "requestDeleteRange", value: { key } } });
}

/** Bounds of one transaction. */
export interface BatchLimits {
  /** Most operations. */
  readonly operations: number;
  /** Bytes of keys and values from which a transaction takes no more. */
  readonly bytes: number;
}

/** Cuts writes, given with the revisions that they were made at, into transactions that can be sent. */
export function* mirrorBatches(
  writes: Iterable<{ readonly revision: number; readonly op: RequestOp }>,
  limits: BatchLimits,
): Generator<readonly RequestOp[]> {
  let [batch, bytes, revision] = [[] as RequestOp[], 0, 0];
  for (const { revision: of, op } of writes) {
    if (batch.length > 0 && (of !== revision || batch.length >= limits.operations || bytes >= limits.bytes)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(op);
    bytes += bytesOf(op);
    revision = of;
  }
  if (batch.length > 0) yield batch;
}

function bytesOf({ request }: RequestOp): number {
  return request?.$case === "requestPut" ? request.value.key.length + request.value.value.length : 0;
}
