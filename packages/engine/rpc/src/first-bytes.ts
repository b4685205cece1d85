/**
 * @module Tells TLS, HTTP/2 with prior knowledge and HTTP/1.1 apart by the first bytes of a connection, without
 * consuming them. Every HTTP/2 connection begins with the same preface (RFC 9113 §3.4), which is no HTTP/1.1 request,
 * and TLS with a record whose first byte begins neither.
 */
import type { Socket } from "node:net";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** The first byte of a record that is part of a handshake (RFC 8446 §5.1). */
const handshakeRecord = 22;

/** What a client speaks. */
export type Protocol = "http1" | "http2" | "tls";

/** Decides as soon as the bytes allow; undefined until they do. */
export function protocolOf(bytes: Buffer): Protocol | undefined {
  if (bytes[0] === handshakeRecord) return "tls";
  const length = Math.min(bytes.length, preface.length);
  if (bytes.compare(preface, 0, length, 0, length) !== 0) return "http1";
  return length === preface.length ? "http2" : undefined;
}

/** How a connection is looked at. */
export interface FirstBytesOptions {
  /** Time the client has to send its first bytes, in milliseconds. */
  readonly timeoutMs: number;
  /** Takes the connection, with nothing read from it. Not called if the client leaves or is too slow. */
  readonly onProtocol: (protocol: Protocol) => void;
}

/** Waits for the first bytes of a connection; one that is silent or too slow is ended. */
export function awaitFirstBytes(socket: Socket, { timeoutMs, onProtocol }: FirstBytesOptions): void {
  let seen = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const onEnd = (): void => void socket.destroy();
  const stop = (): void => {
    clearTimeout(timer);
    socket.off("data", onData).off("end", onEnd).off("error", ignore).off("close", stop);
  };
  function onData(bytes: Buffer): void {
    seen = Buffer.concat([seen, bytes]);
    const protocol = protocolOf(seen);
    if (protocol === undefined) return;
    stop();
    socket.pause();
    socket.unshift(seen);
    onProtocol(protocol);
  }
  socket.on("data", onData).on("end", onEnd).on("error", ignore).on("close", stop);
}

/** "close" follows, and says all that counts; without a listener an error would end the process. */
function ignore(): void {}
