import { type Backend, type BackendEntry, type Bucket, binaryString, binaryStringBytes } from "@conclave/base";

/** A store that keeps every bucket in a map and forgets nothing: enough for an auth store. */
export function memoryRows(): Backend {
  const buckets = new Map<Bucket, Map<string, Uint8Array>>();
  const rows = (bucket: Bucket): Map<string, Uint8Array> => {
    const known = buckets.get(bucket) ?? new Map<string, Uint8Array>();
    buckets.set(bucket, known);
    return known;
  };
  const get = (bucket: Bucket, key: Uint8Array) => rows(bucket).get(binaryString(key));
  function* scan(bucket: Bucket): Generator<BackendEntry> {
    for (const key of [...rows(bucket).keys()].sort())
      yield [binaryStringBytes(key), rows(bucket).get(key) ?? new Uint8Array()];
  }
  return {
    pending: { operations: 0, bytes: 0 },
    get,
    scan,
    put: (bucket, key, value) => void rows(bucket).set(binaryString(key), value),
    delete: (bucket, key) => void rows(bucket).delete(binaryString(key)),
    commit: async () => {},
    openView: () => ({ get, scan, close: () => {} }),
    async replace(entries) {
      buckets.clear();
      for await (const [bucket, key, value] of entries) rows(bucket).set(binaryString(key), value);
    },
    size: () => ({ totalBytes: 0, inUseBytes: 0 }),
    defragment: async () => {},
    close: async () => {},
  };
}
