/**
 * Why the lessor refused.
 *
 * - `NOT_FOUND`: there is no such lease; id 0 never names one.
 * - `EXISTS`: a lease with the id was granted before and still lives.
 * - `TTL_TOO_LARGE`: more than {@link maxTtlSec} was asked for.
 * - `NOT_PRIMARY`: only the lessor of the leader knows expiries and renews.
 * - `REVOKING`: a revoke of the lease has been proposed; it is as good as gone.
 * - `CORRUPT`: a stored row is not a lease.
 */
export type LeaseErrorCode = "NOT_FOUND" | "EXISTS" | "TTL_TOO_LARGE" | "NOT_PRIMARY" | "REVOKING" | "CORRUPT";

/** An operation of the lessor that could not be done; nothing was changed by it. */
export class LeaseError extends Error {
  override readonly name = "LeaseError";
  /** What kind of refusal it is. */
  readonly code: LeaseErrorCode;

  constructor(code: LeaseErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
