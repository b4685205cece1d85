/**
 * @module The version of the log's layout. The log is etcd's to the byte, and etcd's layout is version 1: it is not
 * written down. A later one is told by a field of the log's metadata that etcd does not have and passes over, so that
 * every segment tells it and no log can be read by a version that would misread it.
 */
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { MemberError } from "../member-error.ts";

/** The layout that is written here: etcd's. */
export const logSchemaVersion = 1;

/** Number of the field, a varint, in the message `Metadata`; etcd has two fields, numbered 1 and 2. */
export const logSchemaField = 1000;

const varint = 0;

/**
 * Refuses a log of a newer layout.
 *
 * @param metadata - the bytes with which each segment of the log begins
 * @throws MemberError `DATA_DIR_MISMATCH` for one that is above {@link logSchemaVersion}
 */
export function checkLogSchema(metadata: Uint8Array, walDir: string): void {
  const version = readLogSchema(metadata);
  if (version <= logSchemaVersion) return;
  throw new MemberError(
    "DATA_DIR_MISMATCH",
    `Cannot start as the write-ahead log '${walDir}' was written by a newer version of Conclave: its layout is ${version}, and this version reads up to ${logSchemaVersion}`,
  );
}

function readLogSchema(metadata: Uint8Array): number {
  const reader = new BinaryReader(metadata);
  let version = 1;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === logSchemaField && wireType === varint) version = Number(reader.uint64());
    else reader.skip(wireType, field);
  }
  return version;
}
