/** Why a member could not start or had to stop. */
export type MemberErrorCode =
  | "CONFIG"
  | "DATA_DIR_IN_USE"
  | "DATA_DIR_UNUSABLE"
  | "DATA_DIR_DAMAGED"
  | "DATA_DIR_MISMATCH"
  /** The cluster to be joined cannot be found, or is not the one that was described. */
  | "JOIN"
  /** This member was removed from its cluster; its id never returns. */
  | "REMOVED"
  /** The history that this member holds is not the one that the other members hold. */
  | "CORRUPT"
  /** A saved snapshot cannot be restored. */
  | "SNAPSHOT"
  | "LISTEN"
  | "DISK";

/** A failure that the operator can do something about; its message is one line that says what. */
export class MemberError extends Error {
  override readonly name = "MemberError";
  /** What kind of failure. */
  readonly code: MemberErrorCode;

  constructor(code: MemberErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
