import { wireErrorName } from "@conclave/protocol";
import { ConclaveError, type ConclaveErrorDetails } from "../conclave-error.ts";
import { type ConclaveErrorCode, type FailureKind, statusFailures, wireFailures } from "../error-codes.ts";
import type { TransportError } from "../transport/transport.ts";

/** Says what a failed call means for its caller. */
export function failureKind(error: TransportError): FailureKind {
  const name = wireErrorName(error.message);
  const said = name === undefined ? undefined : wireFailures[name];
  if (!error.sent) return said?.code === "AUTH_FAILED" ? said : unsentFailure(error);
  if (said !== undefined) return said;
  // Said by a member's gRPC layer (in Go) of a request it did not even read to the end.
  if (error.message.startsWith("grpc: received message larger than max"))
    return { code: "REQUEST_TOO_LARGE", transient: false, maybeApplied: false };
  return statusFailures[error.status] ?? statusFailures[2];
}

/** A call that has not left may be tried again; only a login that was refused is refused again. */
function unsentFailure({ status }: TransportError): FailureKind {
  const code: ConclaveErrorCode = statusFailures[status]?.code === "TIMEOUT" ? "TIMEOUT" : "UNAVAILABLE";
  return { code, transient: true, maybeApplied: false };
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
