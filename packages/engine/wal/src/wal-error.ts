/**
 * Why the log cannot be used.
 * - `CORRUPT`: the files on disk hold something that no crash can explain; nothing was changed.
 * - `NO_SNAPSHOT`: the log does not reach back to the position that was asked for.
 * - `NOT_FOUND`: the directory holds no log.
 * - `EXISTS`: the directory already holds one.
 * - `DISK`: a call to the file system failed, `cause` says how. After a failed write or sync the log stays
 *   failed, as nobody knows what reached the disk.
 * - `CLOSED`: the log was closed.
 */
export type WalErrorCode = "CORRUPT" | "NO_SNAPSHOT" | "NOT_FOUND" | "EXISTS" | "DISK" | "CLOSED";

/** An expected failure of the write-ahead log. */
export class WalError extends Error {
  override readonly name = "WalError";
  /** What kind of failure it is. */
  readonly code: WalErrorCode;

  /**
   * @param code - what kind of failure it is
   * @param message - the file, the offset and what is wrong with it
   * @param options - the cause, for `DISK`
   */
  constructor(code: WalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The failure as a {@link WalError}: itself, or `DISK` with it as the cause. */
export function toWalError(error: unknown, action: string): WalError {
  if (error instanceof WalError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new WalError("DISK", `Cannot ${action}: ${reason}`, { cause: error });
}
