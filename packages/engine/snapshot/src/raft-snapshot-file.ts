/** @module The files `<term>-<index>.snap` of etcd: a raft snapshot whose data is a tree of members, with a checksum. */
import { crc32c, emptyBytes } from "@conclave/base";
import { Snapshot } from "@conclave/protocol/raftpb";
import { snapshot as SnapshotFile } from "@conclave/protocol/snappb";
import { readStoreTree, type StoreTreeContent } from "./read-store-tree.ts";
import { SnapshotError } from "./snapshot-error.ts";

/** What such a file says. */
export interface RaftSnapshotFile {
  /** The last entry that it includes. */
  readonly index: number;
  /** The term of that entry. */
  readonly term: number;
  /** The members at that entry. */
  readonly tree: StoreTreeContent;
}

/**
 * Reads the bytes of such a file.
 *
 * @throws {@link SnapshotError} `CORRUPT`
 */
export function readRaftSnapshotFile(bytes: Uint8Array): RaftSnapshotFile {
  const { crc = 0, data = emptyBytes } = decode(() => SnapshotFile.decode(bytes));
  if (data.length === 0 || crc === 0 || crc32c(data) !== crc) throw corrupt("its checksum is wrong");
  const { data: tree = emptyBytes, metadata } = decode(() => Snapshot.decode(data));
  const { index = 0, term = 0 } = metadata ?? {};
  if (index === 0 || term === 0) throw corrupt("it does not say of which entry it is");
  return { index, term, tree: readStoreTree(tree) };
}

function decode<Message>(read: () => Message): Message {
  try {
    return read();
  } catch (error) {
    throw corrupt(error instanceof Error ? error.message : String(error));
  }
}

function corrupt(reason: string): SnapshotError {
  return new SnapshotError("CORRUPT", `the raft snapshot is damaged: ${reason}`);
}
