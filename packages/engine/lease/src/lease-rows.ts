import type { Backend } from "@conclave/base";
import { Lease as LeaseRow } from "@conclave/protocol/leasepb";
import { LeaseError } from "./lease-error.ts";

/** The key of a lease's row: its id as eight bytes, big-endian, two's complement. */
function rowKey(id: bigint): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigInt64(0, id);
  return key;
}

function decodeRow(key: Uint8Array, value: Uint8Array): LeaseRow {
  try {
    const row = LeaseRow.decode(value);
    const id = new DataView(key.buffer, key.byteOffset, key.byteLength).getBigInt64(0);
    if (key.length === 8 && row.ID === id && id !== 0n) return row;
  } catch (cause) {
    throw new LeaseError("CORRUPT", "A stored lease cannot be decoded", { cause });
  }
  throw new LeaseError("CORRUPT", "A stored lease does not carry the id it is stored under");
}

/** The rows of the "lease" bucket, in etcd's format. */
export class LeaseRows {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /**
   * Every stored lease, by id as unsigned bytes.
   *
   * @throws {@link LeaseError} `CORRUPT`
   */
  *all(): Generator<LeaseRow> {
    for (const [key, value] of this.#backend.scan("lease")) yield decodeRow(key, value);
  }

  put(row: LeaseRow): void {
    this.#backend.put("lease", rowKey(row.ID), LeaseRow.encode(row).finish());
  }

  delete(id: bigint): void {
    this.#backend.delete("lease", rowKey(id));
  }
}
