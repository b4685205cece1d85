import { gunzipSync } from "node:zlib";
import { GrpcStatus } from "@conclave/protocol";
import { RpcError } from "./rpc-error.ts";

/** The encodings that requests may have, as the header `grpc-accept-encoding` lists them. */
export const acceptedEncodings = "identity,gzip";

/** Whether requests of this encoding can be read. */
export function isAccepted(encoding: string): boolean {
  return encoding === "identity" || encoding === "gzip";
}

/**
 * Reads a compressed message. It is done at once, not in the thread pool, where it would wait behind, and delay,
 * the disk; the bound keeps it short.
 *
 * @param bytes - the message as it came
 * @param options - `encoding`: the call's; `maxBytes`: the longest message to be read
 * @throws {@link RpcError} if it is not of this encoding, or too long once it is unpacked
 */
export function decompress(
  bytes: Uint8Array,
  { encoding, maxBytes }: { readonly encoding: string | undefined; readonly maxBytes: number },
): Uint8Array {
  if (encoding !== "gzip") {
    throw new RpcError(GrpcStatus.Internal, "grpc: compressed flag set with identity or empty encoding");
  }
  try {
    return gunzipSync(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    if (cause instanceof RangeError) {
      const message = `grpc: received message after decompression larger than max ${maxBytes}`;
      throw new RpcError(GrpcStatus.ResourceExhausted, message, { cause });
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RpcError(GrpcStatus.Internal, `grpc: failed to decompress the received message: ${reason}`, { cause });
  }
}
