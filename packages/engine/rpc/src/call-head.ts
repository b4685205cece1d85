import { isAccepted } from "./compression.ts";
import { parseGrpcTimeout } from "./grpc-timeout.ts";
import { grpcType, type Refusal, refuseContentType, refuseEncoding, refuseTimeout, refuseVerb } from "./refusal.ts";
import type { HeaderFields, OutgoingFields } from "./transport.ts";

/** What the header fields of a call say. */
export interface CallHead {
  readonly kind: "call";
  /** The method called, as in `/etcdserverpb.KV/Put`. */
  readonly path: string;
  /** The encoding of compressed requests. */
  readonly encoding: string | undefined;
  /** How long the client waits, in milliseconds; undefined: for ever. */
  readonly timeoutMs: number | undefined;
  /** The header fields of the response. */
  readonly responseFields: OutgoingFields;
}

/** The header fields of a request that is no call. */
export interface RefusedHead {
  readonly kind: "refused";
  /** Why, and how it is answered. */
  readonly refusal: Refusal;
}

/** One header field as text. */
function fieldOf(headers: HeaderFields, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "object" ? value.join(", ") : value;
}

function isGrpcType(contentType: string): boolean {
  return contentType === grpcType || contentType.startsWith(`${grpcType}+`) || contentType.startsWith(`${grpcType};`);
}

function refused(refusal: Refusal): RefusedHead {
  return { kind: "refused", refusal };
}

const grpcFields: OutgoingFields = { ":status": 200, "content-type": grpcType };

/** Reads the header fields of a request. */
export function parseCallHead(headers: HeaderFields): CallHead | RefusedHead {
  const contentType = fieldOf(headers, "content-type") ?? "";
  if (!isGrpcType(contentType)) return refused(refuseContentType(contentType));
  const verb = fieldOf(headers, ":method") ?? "";
  if (verb !== "POST") return refused(refuseVerb(verb));
  const encoding = fieldOf(headers, "grpc-encoding");
  if (encoding !== undefined && !isAccepted(encoding)) return refused(refuseEncoding(encoding));
  const timeoutField = fieldOf(headers, "grpc-timeout");
  const timeout = timeoutField === undefined ? undefined : parseGrpcTimeout(timeoutField);
  if (timeout?.kind === "malformed") return refused(refuseTimeout(timeout.reason));
  return {
    kind: "call",
    path: fieldOf(headers, ":path") ?? "",
    encoding,
    timeoutMs: timeout?.timeoutMs,
    responseFields: contentType === grpcType ? grpcFields : { ...grpcFields, "content-type": contentType },
  };
}
