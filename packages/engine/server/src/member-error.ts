/** Why a member could not start or had to stop. */
export type MemberErrorCode =
  | "CONFIG"
  | "DATA_DIR_IN_USE"
  | "DATA_DIR_UNUSABLE"
  | "DATA_DIR_DAMAGED"
  | "DATA_DIR_MISMATCH"
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
