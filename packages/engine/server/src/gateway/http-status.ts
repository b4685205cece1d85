/** @module gRPC statuses as HTTP has them, and errors as clients of etcd's gateway read them. */
import { STATUS_CODES } from "node:http";
import { GrpcStatus } from "@conclave/protocol";
import type { RpcStatus } from "@conclave/rpc";

const httpStatuses: Readonly<Record<GrpcStatus, number>> = {
  [GrpcStatus.Ok]: 200,
  [GrpcStatus.Canceled]: 499,
  [GrpcStatus.Unknown]: 500,
  [GrpcStatus.InvalidArgument]: 400,
  [GrpcStatus.DeadlineExceeded]: 504,
  [GrpcStatus.NotFound]: 404,
  [GrpcStatus.AlreadyExists]: 409,
  [GrpcStatus.PermissionDenied]: 403,
  [GrpcStatus.ResourceExhausted]: 429,
  [GrpcStatus.FailedPrecondition]: 400,
  [GrpcStatus.Aborted]: 409,
  [GrpcStatus.OutOfRange]: 400,
  [GrpcStatus.Unimplemented]: 501,
  [GrpcStatus.Internal]: 500,
  [GrpcStatus.Unavailable]: 503,
  [GrpcStatus.DataLoss]: 500,
  [GrpcStatus.Unauthenticated]: 401,
};

/** The HTTP status of a call that ended with a gRPC status. */
export function httpStatusOf(code: GrpcStatus): number {
  return httpStatuses[code];
}

/** The body of an answer that is an error. Clients of etcd up to 3.4 read `error`, later ones `message`. */
export function errorBody({ code, message }: RpcStatus): string {
  return JSON.stringify({ error: message, code, message });
}

/** The last line of a stream that ends with an error, with the fields of etcd up to 3.4 and of later ones. */
export function errorLine({ code, message }: RpcStatus): string {
  const status = httpStatusOf(code);
  const error = { code, message, grpc_code: code, http_code: status, http_status: STATUS_CODES[status] ?? "" };
  return `${JSON.stringify({ error })}\n`;
}
