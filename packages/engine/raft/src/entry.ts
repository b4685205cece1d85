import { emptyBytes } from "@conclave/base";
import type { Entry, EntryType } from "./types.ts";

/**
 * What an encoded entry takes beyond its data, at most: tag and length within the message (6), type (2), term and
 * index (9 each), tag and length of the data (6).
 */
const entryOverheadBytes = 32;

/** The bytes an entry takes in a message or on disk, never too low. */
export function entryBytes(entry: Entry): number {
  return entryOverheadBytes + entry.data.length;
}

/** The bytes of commands in the entries. A leader's opening entry has none, so a limit on them never refuses it. */
export function payloadBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  return bytes;
}

/** How many of the first entries fit into `maxBytes`: at least one, so that an oversized entry still moves. */
export function countWithin(entries: readonly Entry[], maxBytes: number): number {
  let bytes = 0;
  for (const [count, entry] of entries.entries()) {
    bytes += entryBytes(entry);
    if (bytes > maxBytes && count > 0) return count;
  }
  return entries.length;
}

/** The first entries that fit into `maxBytes`, at least one; the same array if all do. */
export function limitBytes(entries: readonly Entry[], maxBytes: number): readonly Entry[] {
  const count = countWithin(entries, maxBytes);
  return count === entries.length ? entries : entries.slice(0, count);
}

/** What a proposal asks to append; term and index are the leader's to give. */
export interface Proposal {
  /** How `data` is to be read. */
  readonly type: EntryType;
  /** The command or the encoded change. */
  readonly data: Uint8Array;
}

/** The entry without a command with which a leader opens its term (Raft paper §8). */
export const noOp: Proposal = { type: "normal", data: emptyBytes };
