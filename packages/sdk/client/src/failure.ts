import { wireErrorName } from "@conclave/protocol";
import { ConclaveError, type ConclaveErrorDetails } from "./conclave-error.ts";
import { type ConclaveErrorCode, type FailureKind, statusFailures, wireFailures } from "./error-codes.ts";
import type { TransportError } from "./transport.ts";

/** Says what a failed call means for its caller. */
export function failureKind(error: TransportError): FailureKind {
  if (!error.sent) return { code: unsentCode(error), transient: true, maybeApplied: false };
  const name = wireErrorName(error.message);
  if (name !== undefined) return wireFailures[name];
  // Said by a member's gRPC layer (in Go) of a request it did not even read to the end.
  if (error.message.startsWith("grpc: received message larger than max"))
    return { code: "REQUEST_TOO_LARGE", transient: false, maybeApplied: false };
  return statusFailures[error.status] ?? statusFailures[2];
}

function unsentCode(error: TransportError): ConclaveErrorCode {
  return statusFailures[error.status]?.code === "TIMEOUT" ? "TIMEOUT" : "UNAVAILABLE";
}

/** The error of a stream or a read, which changes nothing whatever happened. */
export function harmlessError(error: TransportError, details: ConclaveErrorDetails = {}): ConclaveError {
  const kind = failureKind(error);
  return new ConclaveError(kind.code, error.message, {
    cause: error,
    retryable: kind.transient,
    grpcStatus: error.status,
    details,
  });
}
