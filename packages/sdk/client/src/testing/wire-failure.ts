import { WireError, type WireErrorName } from "@conclave/protocol";
import { TransportError } from "../transport/transport.ts";

/** What the transport makes of a member's answer with this error. */
export function wireFailure(name: WireErrorName): TransportError {
  const { status, message } = new WireError(name);
  return new TransportError(status, message);
}
