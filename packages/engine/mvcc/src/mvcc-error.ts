/**
 * Why the store refused a request.
 *
 * - `COMPACTED`: the revision asked for lies below the compact revision
 * - `FUTURE_REVISION`: the revision asked for has not happened yet
 * - `LEASE_NOT_FOUND`: a put names a lease that does not exist
 * - `KEY_NOT_FOUND`: a put that keeps the old value or lease finds no such key
 */
export type MvccErrorCode = "COMPACTED" | "FUTURE_REVISION" | "LEASE_NOT_FOUND" | "KEY_NOT_FOUND";

const messages: Record<MvccErrorCode, string> = {
  COMPACTED: "The required revision has been compacted",
  FUTURE_REVISION: "The required revision is a future revision",
  LEASE_NOT_FOUND: "The requested lease was not found",
  KEY_NOT_FOUND: "The key was not found",
};

/** Thrown by the store for a request that cannot be served; nothing was written. */
export class MvccError extends Error {
  override readonly name = "MvccError";
  /** Why; see {@link MvccErrorCode}. */
  readonly code: MvccErrorCode;

  /** @param code - the reason, from which the message follows */
  constructor(code: MvccErrorCode) {
    super(messages[code]);
    this.code = code;
  }
}
