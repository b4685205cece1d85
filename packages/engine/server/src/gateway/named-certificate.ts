/**
 * @module Callers of the gateway whose certificate names a user. Over gRPC they are that user; whoever calls a gateway may
 * be a proxy that shows its own certificate for somebody else. So that nobody takes the one for the other, such calls
 * are refused, as etcd does it.
 */
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { commonNameOf } from "@conclave/tls";
import { type Answer, text } from "../http/http-answer.ts";

const refusal = text(
  400,
  "CommonName of client sending a request against gateway will be ignored and not used as expected\n",
);

/** What a request is refused with if its client's certificate has a common name. */
export function namedCertificateRefusal({ socket }: IncomingMessage): Answer | undefined {
  const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  return certificate === undefined || commonNameOf(certificate) === "" ? undefined : refusal;
}
