/**
 * Why the store failed.
 *
 * - `OPEN`: the directory cannot be opened as a store
 * - `DISK`: a write to the disk failed; the store must not be used any more
 * - `CLOSED`: the store has been closed
 */
export type StoreErrorCode = "OPEN" | "DISK" | "CLOSED";

/** Thrown by the LMDB backend when the disk or the directory fails it. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  /** Why; see {@link StoreErrorCode}. */
  readonly code: StoreErrorCode;

  /** @param message - what LMDB or the file system says */
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
