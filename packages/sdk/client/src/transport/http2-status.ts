/** @module What the end of a call over HTTP/2 means in gRPC's terms ("gRPC over HTTP2", of the gRPC project's documents). */
import { constants, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from "node:http2";
import { GrpcStatus } from "@conclave/protocol";
import { TransportError } from "./transport.ts";

const statusOfHttp: ReadonlyMap<number, GrpcStatus> = new Map([
  [400, GrpcStatus.Internal],
  [401, GrpcStatus.Unauthenticated],
  [403, GrpcStatus.PermissionDenied],
  [404, GrpcStatus.Unimplemented],
  [429, GrpcStatus.Unavailable],
  [502, GrpcStatus.Unavailable],
  [503, GrpcStatus.Unavailable],
  [504, GrpcStatus.Unavailable],
]);
const statusOfReset: ReadonlyMap<number, GrpcStatus> = new Map([
  [constants.NGHTTP2_REFUSED_STREAM, GrpcStatus.Unavailable],
  [constants.NGHTTP2_CANCEL, GrpcStatus.Canceled],
  [constants.NGHTTP2_ENHANCE_YOUR_CALM, GrpcStatus.ResourceExhausted],
  [constants.NGHTTP2_INADEQUATE_SECURITY, GrpcStatus.PermissionDenied],
]);

/** How a call ended: well, or with an error. */
export interface CallEnd {
  readonly error: TransportError | undefined;
}

/** What trailers, or headers that are all there is, say of a call's end; undefined if they say nothing. */
export function endOfFields(fields: IncomingHttpHeaders): CallEnd | undefined {
  const { "grpc-status": code, "grpc-message": message } = fields;
  if (typeof code !== "string") return undefined;
  if (code === "0") return { error: undefined };
  const status = Object.values(GrpcStatus).find((known) => String(known) === code) ?? GrpcStatus.Unknown;
  return { error: new TransportError(status, typeof message === "string" ? percentDecoded(message) : "") };
}

/** The error of a response that is none of gRPC; undefined if it is. */
export function errorOfResponse({ ":status": status = 0 }: IncomingHttpStatusHeader): TransportError | undefined {
  if (status === 200) return undefined;
  return new TransportError(statusOfHttp.get(status) ?? GrpcStatus.Unknown, `the member answered with HTTP ${status}`);
}

/** The error of a stream that was reset. A member has not looked at one that it refused (RFC 9113 §8.7). */
export function errorOfReset(code: number, cause?: Error): TransportError {
  const sent = code !== constants.NGHTTP2_REFUSED_STREAM;
  const status = statusOfReset.get(code) ?? GrpcStatus.Internal;
  return new TransportError(status, `the stream was reset with code ${code}`, { sent, cause });
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
