import type { ReadState, Role } from "./raft.ts";
import type { Entry, HardState, Message, Snapshot } from "./types.ts";

/** What changes without being stored. */
export interface SoftState {
  /** What the member is. */
  readonly role: Role;
  /** The leader, or 0n if none is known. */
  readonly lead: bigint;
}

/** What is to be done now. Its arrays are never changed afterwards. */
export interface Ready {
  /** Role and leader, if they changed. */
  readonly softState: SoftState | undefined;
  /** To be written to disk, if it changed. */
  readonly hardState: HardState | undefined;
  /** To be written to disk; they replace what is stored from the first one's index on. */
  readonly entries: readonly Entry[];
  /** To be written to disk and to replace the state machine's state and the whole stored log. */
  readonly snapshot: Snapshot | undefined;
  /** To be applied in order. */
  readonly committedEntries: readonly Entry[];
  /** To be sent, in order for each receiver. A message may be lost; see `reportUnreachable`. */
  readonly messages: readonly Message[];
  /** Reads that may be served once their index is applied. */
  readonly readStates: readonly ReadState[];
  /** Whether the write must be durable before messages are sent: not if only the commit index changed. */
  readonly mustSync: boolean;
}
