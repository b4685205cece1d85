import { utf8Text } from "@conclave/base";
import { Lease } from "@conclave/protocol/leasepb";
import { KeyValue } from "@conclave/protocol/mvccpb";
import type { DatabaseEntry } from "./database-entry.ts";
import { SnapshotError } from "./snapshot-error.ts";

/** `<main u64>_<sub u64>`, and `t` behind that of a deletion. */
const revisionBytes = 17;
const leaseKeyBytes = 8;
const underscore = 0x5f;
const tombstoneMark = 0x74;
/** What a store says of compactions, in the form of a revision. */
const compactionKeys: ReadonlySet<string> = new Set(["scheduledCompactRev", "finishedCompactRev"]);

/**
 * Checks that an entry of a database can be what its bucket holds: pages have no checksum, and a store that takes
 * damaged entries up fails much later.
 *
 * @throws {@link SnapshotError} `CORRUPT` if it cannot
 */
export function checkDatabaseEntry({ bucket, key, value }: DatabaseEntry): void {
  if (bucket === "key") {
    if (!isRevision(key)) throw corrupt("key", "a key is no revision");
    decodable("key", () => KeyValue.decode(value));
  } else if (bucket === "lease") {
    if (key.length !== leaseKeyBytes) throw corrupt("lease", "a key is no lease id");
    decodable("lease", () => Lease.decode(value));
  } else if (bucket === "meta" && compactionKeys.has(utf8Text(key)) && !isRevision(value))
    throw corrupt("meta", `${utf8Text(key)} is no revision`);
}

function isRevision(bytes: Uint8Array): boolean {
  if (bytes[8] !== underscore) return false;
  return (
    bytes.length === revisionBytes || (bytes.length === revisionBytes + 1 && bytes[revisionBytes] === tombstoneMark)
  );
}

function decodable(bucket: string, decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    throw corrupt(bucket, `a value cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function corrupt(bucket: string, reason: string): SnapshotError {
  return new SnapshotError("CORRUPT", `the bucket "${bucket}" is damaged: ${reason}`);
}
