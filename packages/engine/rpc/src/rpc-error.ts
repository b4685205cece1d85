import { GrpcStatus } from "@conclave/protocol";

/**
 * An error with the gRPC status it is answered with, for what the table of the protocol's own errors
 * (`WireError`) does not hold. Told apart by `name`, never by `instanceof`.
 */
export class RpcError extends Error {
  override readonly name = "RpcError";
  /** The gRPC status code. */
  readonly status: GrpcStatus;

  /**
   * @param status - the gRPC status code
   * @param message - the status message; goes over the wire
   * @param options - `cause`: what led to it, for the log; never sent
   */
  constructor(status: GrpcStatus, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** How a call ends. */
export interface RpcStatus {
  /** The gRPC status code. */
  readonly code: GrpcStatus;
  /** The status message, not yet percent-encoded. */
  readonly message: string;
}

/** An error that carries its own status: a {@link RpcError} or a `WireError` of the protocol. */
export type StatusError = Error & { readonly status: GrpcStatus };

/** Whether what a handler threw carries its own status. */
export function isStatusError(error: unknown): error is StatusError {
  return (
    error instanceof Error &&
    (error.name === "RpcError" || error.name === "WireError") &&
    "status" in error &&
    typeof error.status === "number"
  );
}

/** The status that a failed call is answered with. What carries none of its own tells the client nothing more. */
export function statusOf(error: unknown): RpcStatus {
  if (isStatusError(error)) return { code: error.status, message: error.message };
  return { code: GrpcStatus.Unknown, message: "internal error" };
}
