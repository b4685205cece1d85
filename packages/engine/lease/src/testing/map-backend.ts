import { type Backend, type BackendEntry, type Bucket, binaryString, binaryStringBytes } from "@conclave/base";

/** A store that keeps the bucket "lease" in a map and forgets nothing: enough for a lessor. */
export function mapBackend(): Backend {
  const rows = new Map<string, Uint8Array>();
  const get = (_bucket: Bucket, key: Uint8Array) => rows.get(binaryString(key));
  function* scan(): Generator<BackendEntry> {
    for (const key of [...rows.keys()].sort()) yield [binaryStringBytes(key), rows.get(key) ?? new Uint8Array()];
  }
  return {
    pending: { operations: 0, bytes: 0 },
    get,
    scan,
    put: (_bucket, key, value) => void rows.set(binaryString(key), value),
    delete: (_bucket, key) => void rows.delete(binaryString(key)),
    commit: async () => {},
    openView: () => ({ get, scan, close: () => {} }),
    async replace(entries) {
      rows.clear();
      for await (const [, key, value] of entries) rows.set(binaryString(key), value);
    },
    size: () => ({ totalBytes: 0, inUseBytes: 0 }),
    defragment: async () => {},
    close: async () => {},
  };
}
