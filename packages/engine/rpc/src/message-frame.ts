/**
 * @module The length-prefixed message of gRPC: a flag (0, or 1 for compressed), the length as four bytes, most
 * significant first, and the message.
 */

/** Bytes before each message. */
export const prefixBytes = 5;

/** One message, not compressed, with its prefix. The message may be given in parts, which are joined. */
export function frameMessage(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const frame = Buffer.allocUnsafe(prefixBytes + length);
  frame[0] = 0;
  frame.writeUInt32BE(length, 1);
  let at = prefixBytes;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}
