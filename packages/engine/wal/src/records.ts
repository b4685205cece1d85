import type { ConfState, Entry, EntryType, HardState } from "@conclave/raft";

/** A snapshot that the log vouches for: the state after the entry `index`, which has `term`, is on disk. */
export interface WalSnapshot {
  /** The last entry the snapshot includes; 0 for the empty state. */
  readonly index: number;
  /** The term of that entry. */
  readonly term: number;
  /**
   * The membership at that entry. Every record for an index above 0 has it, except those an etcd 3.4 wrote.
   */
  readonly confState?: ConfState | undefined;
}

/** The numbers of the record types on disk. */
export const recordTypes = { metadata: 1, entry: 2, state: 3, crc: 4, snapshot: 5 } as const;

/** The types of entries, at the positions of their numbers on disk. */
export const entryTypes: readonly EntryType[] = ["normal", "confChange", "confChangeV2"];

/** What one record says. */
export type WalRecord =
  | { readonly kind: "metadata"; readonly metadata: Uint8Array }
  | { readonly kind: "entry"; readonly entry: Entry }
  | { readonly kind: "state"; readonly hardState: HardState }
  | { readonly kind: "crc"; readonly crc: number }
  | { readonly kind: "snapshot"; readonly snapshot: WalSnapshot };

/**
 * The longest record that is read or written, in bytes: far above etcd's largest request, and the most memory a
 * damaged length can make a reader ask for.
 */
export const recordBytesMax: number = 128 * 1024 * 1024;

/** The hard state of a member that has seen nothing; it is never written. */
export const emptyHardState: HardState = { term: 0, vote: 0n, commit: 0 };

/** Whether a hard state says nothing. */
export function isEmptyHardState(state: HardState): boolean {
  return state.term === 0 && state.vote === 0n && state.commit === 0;
}
