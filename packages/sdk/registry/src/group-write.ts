/**
 * @module Writing many instances at once: a few transactions in place of two calls for each. A transaction takes effect only
 * if none of its keys is there; one that was sent twice, as its answer was lost, finds its own instances.
 */
import { utf8 } from "@conclave/base";
import { type CallOptions, type ClientView, compare, type KeyValue, op } from "@conclave/client";

/** An instance to be written. */
export interface InstanceWrite {
  /** Its key. */
  readonly key: string;
  /** What is stored of it; holds the token of whoever registers it, so that no two are alike. */
  readonly value: string;
  /** The lease it is to live on. */
  readonly lease: bigint;
}

/** Most instances of one transaction; the protocol's limit is 128 operations. */
const groupMax = 100;
/** Most bytes of one transaction; the protocol's limit is 1.5 MiB. */
const groupBytesMax = 1_000_000;

/**
 * Writes instances, group by group.
 *
 * @returns the key of one that is there already, which ended it; undefined if all are written
 */
export async function writeTogether(
  client: ClientView,
  writes: readonly InstanceWrite[],
  request: () => CallOptions,
): Promise<string | undefined> {
  for (const group of groupsOf(writes)) {
    const result = await client
      .txn()
      .if(...group.map(({ key }) => compare.version(key).equal(0)))
      .then(...group.map(({ key, value, lease }) => op.put(key, value, { lease })))
      .else(...group.map(({ key }) => op.get(key)))
      .commit({ ...request(), idempotent: true });
    const found: readonly (KeyValue | undefined)[] = result.succeeded ? [] : result.responses;
    const foreign = found.find((kv, at) => kv !== undefined && kv.valueString !== group[at]?.value);
    if (foreign !== undefined) return foreign.keyString;
  }
  return undefined;
}

function* groupsOf(writes: readonly InstanceWrite[]): Generator<readonly InstanceWrite[]> {
  let group: InstanceWrite[] = [];
  let bytes = 0;
  for (const write of writes) {
    const more = utf8(write.key).length * 2 + utf8(write.value).length;
    if (group.length === groupMax || (group.length > 0 && bytes + more > groupBytesMax)) {
      yield group;
      [group, bytes] = [[], 0];
    }
    group.push(write);
    bytes += more;
  }
  if (group.length > 0) yield group;
}
