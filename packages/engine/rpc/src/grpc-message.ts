/**
 * @module The `grpc-message` trailer: UTF-8 with every byte outside printable ASCII, and `%`, as `%XX`
 * (gRPC over HTTP/2, "Status-Message").
 */
const plain = /^[ -$&-~]*$/;

/** Writes a status message as a header value. */
export function encodeGrpcMessage(message: string): string {
  if (plain.test(message)) return message;
  let encoded = "";
  for (const byte of Buffer.from(message, "utf8")) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
