import { type Backend, type BackendEntry, binaryString, binaryStringBytes } from "@conclave/base";

/** A store that keeps the bucket "lease" in a map and forgets nothing: enough for a lessor. */
export function mapBackend(): Backend {
  const rows = new Map<string, Uint8Array>();
  return {
    pending: { operations: 0, bytes: 0 },
    get: (_bucket, key) => rows.get(binaryString(key)),
    *scan(): Generator<BackendEntry> {
      for (const key of [...rows.keys()].sort()) yield [binaryStringBytes(key), rows.get(key) ?? new Uint8Array()];
    },
    put: (_bucket, key, value) => void rows.set(binaryString(key), value),
    delete: (_bucket, key) => void rows.delete(binaryString(key)),
    commit: async () => {},
    size: () => ({ totalBytes: 0, inUseBytes: 0 }),
    defragment: async () => {},
    close: async () => {},
  };
}
