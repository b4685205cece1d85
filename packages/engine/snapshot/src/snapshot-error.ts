/**
 * Why a database file cannot be read.
 *
 * - `CORRUPT`: it is no database, or damaged, or not one of an etcd
 */
export type SnapshotErrorCode = "CORRUPT";

/** Thrown when a database file cannot be read; the message names the page and what is wrong with it. */
export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
  /** Why; see {@link SnapshotErrorCode}. */
  readonly code: SnapshotErrorCode;

  /** @param message - the page and what is wrong with it */
  constructor(code: SnapshotErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The error for a page that is not what it must be. */
export function corruptPage(page: number, reason: string): SnapshotError {
  return new SnapshotError("CORRUPT", `page ${page} is damaged: ${reason}`);
}
