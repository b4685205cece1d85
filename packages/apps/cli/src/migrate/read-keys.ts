import { allKeys, type Client } from "@conclave/client";
import type { KeyValue } from "@conclave/protocol/mvccpb";

/** Most keys of a page, and few enough to begin with whatever their values weigh. */
const pageKeys = { first: 100, max: 1_000 } as const;
/** About the bytes that a page should have. */
const pageBytes = 8 * 2 ** 20;

/** The revision that a cluster is at. */
export async function revisionOf(client: Client): Promise<number> {
  const { header } = await client.raw.kv.range({ ...allKeys(), limit: 1n, keysOnly: true });
  return header?.revision ?? 0;
}

/** Every key of a cluster as of one revision, in order, with no more than a page of them in memory. */
export async function* readKeys(client: Client, revision: number, signal: AbortSignal): AsyncGenerator<KeyValue> {
  let { key, rangeEnd } = allKeys();
  let limit: number = pageKeys.first;
  for (;;) {
    const range = { key, rangeEnd, limit: BigInt(limit), revision: BigInt(revision) };
    const { kvs, more } = await client.raw.kv.range(range, { signal });
    yield* kvs;
    const last = kvs.at(-1);
    if (!more || last === undefined) return;
    key = new Uint8Array([...last.key, 0]);
    limit = nextLimit(kvs);
  }
}

/** How many keys make a page of a good size, as the ones before let expect. */
function nextLimit(kvs: readonly KeyValue[]): number {
  const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  const fitting = Math.floor((kvs.length * pageBytes) / Math.max(1, bytes));
  return Math.min(pageKeys.max, Math.max(1, fitting));
}
