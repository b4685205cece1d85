/** @module The header fields of a request over HTTP/1.1 as those of a call. */
import type { IncomingHttpHeaders } from "node:http";
import type { HeaderFields } from "@conclave/rpc";

/** A client gives any metadata by a header field of its name behind this. */
const metadataPrefix = "grpc-metadata-";

/** What belongs to the transport, and is not a client's to give as metadata. */
function isReserved(name: string): boolean {
  return name === "" || name.startsWith("grpc-") || name === "content-type" || name === "te" || name === "user-agent";
}

/** Whether a header field `Grpc-Timeout` is there and can be read: digits and a unit, as in `500m`. */
export function isTimeoutMalformed({ "grpc-timeout": timeout }: IncomingHttpHeaders): boolean {
  return timeout !== undefined && !/^\d+[HMSmun]$/.test(String(timeout));
}

/** The timeout as gRPC takes it. None: one of zero, as in etcd, and one that needs more than eight digits. */
function timeoutField({ "grpc-timeout": timeout }: IncomingHttpHeaders): string | undefined {
  const [, digits = "", unit = ""] = /^0*(\d+)(\w)$/.exec(String(timeout ?? "")) ?? [];
  return digits === "" || digits === "0" || digits.length > 8 ? undefined : `${digits}${unit}`;
}

function* metadataFields(headers: IncomingHttpHeaders): Generator<readonly [string, string]> {
  for (const [field, value] of Object.entries(headers)) {
    const name = field.slice(metadataPrefix.length);
    if (field.startsWith(metadataPrefix) && !isReserved(name) && value !== undefined) yield [name, String(value)];
  }
}

/**
 * The header fields of the call that a request stands for.
 *
 * @param method - as in `/etcdserverpb.KV/Put`
 */
export function callFields(method: string, headers: IncomingHttpHeaders): HeaderFields {
  return {
    ...Object.fromEntries(metadataFields(headers)),
    ...(headers.authorization !== undefined && { authorization: headers.authorization }),
    "grpc-timeout": timeoutField(headers),
    "content-type": "application/grpc",
    ":method": "POST",
    ":path": method,
  };
}
