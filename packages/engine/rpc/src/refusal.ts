/**
 * @module Requests that are answered by a status before any call begins. Statuses and texts are grpc-go's.
 */
import { GrpcStatus } from "@conclave/protocol";
import { acceptedEncodings } from "./compression.ts";
import { encodeGrpcMessage } from "./grpc-message.ts";
import type { OutgoingFields } from "./transport.ts";

/** Why a request is no call, and how it is answered. */
export interface Refusal {
  /** The HTTP status; 200 where the request was sound HTTP and gRPC. */
  readonly httpStatus: number;
  /** The gRPC status code. */
  readonly status: GrpcStatus;
  /** The status message. */
  readonly message: string;
  /** Header fields besides. */
  readonly fields?: OutgoingFields;
}

/** The content type of gRPC. */
export const grpcType = "application/grpc";

/** The only header fields of the answer to a refused request. */
export function refusalFields({ httpStatus, status, message, fields }: Refusal): OutgoingFields {
  return {
    ":status": httpStatus,
    "content-type": grpcType,
    "grpc-status": String(status),
    "grpc-message": encodeGrpcMessage(message),
    ...fields,
  };
}

/** The refusal of what is not gRPC. */
export function refuseContentType(contentType: string): Refusal {
  const message = `invalid gRPC request content-type ${JSON.stringify(contentType)}`;
  return { httpStatus: 415, status: GrpcStatus.InvalidArgument, message };
}

/** The refusal of an HTTP method other than POST. */
export function refuseVerb(verb: string): Refusal {
  const message = `Received a HEADERS frame with :method ${JSON.stringify(verb)} which should be POST`;
  return { httpStatus: 405, status: GrpcStatus.Internal, message };
}

/** The refusal of a malformed `grpc-timeout`. */
export function refuseTimeout(reason: string): Refusal {
  return { httpStatus: 400, status: GrpcStatus.Internal, message: `malformed grpc-timeout: ${reason}` };
}

/** The refusal of an encoding that cannot be read. */
export function refuseEncoding(encoding: string): Refusal {
  const message = `grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding)}`;
  const fields = { "grpc-accept-encoding": acceptedEncodings };
  return { httpStatus: 200, status: GrpcStatus.Unimplemented, message, fields };
}

/** The refusal of a path that leads to no method. */
export function refusePath(path: string, isService: (fullName: string) => boolean): Refusal {
  const refuse = (message: string): Refusal => ({ httpStatus: 200, status: GrpcStatus.Unimplemented, message });
  const name = path.startsWith("/") ? path.slice(1) : path;
  const slash = name.lastIndexOf("/");
  if (slash < 0) return refuse(`malformed method name: ${JSON.stringify(path)}`);
  const service = name.slice(0, slash);
  if (!isService(service)) return refuse(`unknown service ${service}`);
  return refuse(`unknown method ${name.slice(slash + 1)} for service ${service}`);
}
