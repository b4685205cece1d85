import type { GrpcStatus } from "@conclave/protocol";
import type { ConclaveErrorCode } from "./error-codes.ts";

/** One try of a call that failed. */
export interface FailedAttempt {
  /** The member that was asked. */
  readonly endpoint: string;
  /** What it answered, or why it could not be asked. */
  readonly message: string;
}

/** What else is known of an error; which fields are there depends on its code. */
export interface ConclaveErrorDetails {
  /** The method that was called, as `etcdserverpb.KV/Put`. */
  readonly method?: string;
  /** Every try that failed, in order (the last eight at most). */
  readonly attempts?: readonly FailedAttempt[];
  /** `COMPACTED`: the first revision that is still there, if the member said it. */
  readonly compactRevision?: number;
  /** `SESSION_LOST`: the lease. */
  readonly lease?: bigint;
  /** Why a member ended a watch, in its own words. */
  readonly reason?: string;
  /** `TIMEOUT` of one who would not wait at all: that it is somebody else's, and not the answer that did not come. */
  readonly isTaken?: boolean;
}

/** What an error is made of, besides its code and message. */
export interface ConclaveErrorOptions extends ErrorOptions {
  /** Whether the same call may succeed later without doing harm; default: false. */
  readonly retryable?: boolean;
  /** Whether the call may have changed the store; default: false. */
  readonly maybeApplied?: boolean;
  /** The gRPC status it came with. */
  readonly grpcStatus?: GrpcStatus;
  /** What else is known. */
  readonly details?: ConclaveErrorDetails;
}

const brand = Symbol.for("conclave.ConclaveError");

/**
 * The one error of the SDK. Branch on `code`; `instanceof` also holds for errors of another copy of the package.
 *
 * @example
 * ```ts
 * try {
 *   await client.put("a", "1");
 * } catch (error) {
 *   if (isConclaveError(error, "OUTCOME_UNKNOWN")) await lookWhetherItIsThere();
 *   else throw error;
 * }
 * ```
 */
export class ConclaveError extends Error {
  override readonly name = "ConclaveError";
  /** What happened. */
  readonly code: ConclaveErrorCode;
  /** Whether the same call may succeed later without doing harm. */
  readonly retryable: boolean;
  /** Whether the call may have changed the store. Always false for reads. */
  readonly maybeApplied: boolean;
  /** The gRPC status it came with, if a member or the transport gave one. */
  readonly grpcStatus: GrpcStatus | undefined;
  /** What else is known. */
  readonly details: ConclaveErrorDetails;

  /**
   * @param code - what happened
   * @param message - the same for people
   * @param options - whether to retry, the cause, the details
   */
  constructor(code: ConclaveErrorCode, message: string, options: ConclaveErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.maybeApplied = options.maybeApplied ?? false;
    this.grpcStatus = options.grpcStatus;
    this.details = options.details ?? {};
    Object.defineProperty(this, brand, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && brand in value;
  }
}

/** Whether a value is a {@link ConclaveError}, and of this code if one is given. */
export function isConclaveError(value: unknown, code?: ConclaveErrorCode): value is ConclaveError {
  return value instanceof ConclaveError && (code === undefined || value.code === code);
}
