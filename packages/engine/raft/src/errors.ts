/**
 * What can go wrong outside of Raft's own power: `INCONSISTENT_STATE`, what was read from disk cannot be the state
 * of a member; `MALFORMED_CONF_CHANGE`, bytes that should hold a membership change do not.
 */
export type RaftErrorCode = "INCONSISTENT_STATE" | "MALFORMED_CONF_CHANGE";

/** An operational error of the Raft core. Broken invariants are `InvariantError`s, bad arguments `RangeError`s. */
export class RaftError extends Error {
  override readonly name = "RaftError";
  /** What happened. */
  readonly code: RaftErrorCode;

  constructor(code: RaftErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
