/**
 * @module Tells HTTP/2 with prior knowledge from HTTP/1.1 by the first bytes of a connection, without consuming
 * them. Every HTTP/2 connection begins with the same preface (RFC 9113 §3.4), which is no HTTP/1.1 request.
 */
import type { Socket } from "node:net";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** What a client speaks. */
export type HttpVersion = "http1" | "http2";

/** Decides as soon as the bytes allow; undefined until they do. */
export function httpVersionOf(bytes: Buffer): HttpVersion | undefined {
  const length = Math.min(bytes.length, preface.length);
  if (bytes.compare(preface, 0, length, 0, length) !== 0) return "http1";
  return length === preface.length ? "http2" : undefined;
}

/** How a connection is looked at. */
export interface FirstBytesOptions {
  /** Time the client has to send its first bytes, in milliseconds. */
  readonly timeoutMs: number;
  /** Takes the connection, with nothing read from it. Not called if the client leaves or is too slow. */
  readonly onVersion: (version: HttpVersion) => void;
}

/** Waits for the first bytes of a connection; one that is silent or too slow is ended. */
export function awaitFirstBytes(socket: Socket, { timeoutMs, onVersion }: FirstBytesOptions): void {
  let seen = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const onEnd = (): void => void socket.destroy();
  const stop = (): void => {
    clearTimeout(timer);
    socket.off("data", onData).off("end", onEnd).off("error", ignore).off("close", stop);
  };
  function onData(bytes: Buffer): void {
    seen = Buffer.concat([seen, bytes]);
    const version = httpVersionOf(seen);
    if (version === undefined) return;
    stop();
    socket.pause();
    socket.unshift(seen);
    onVersion(version);
  }
  socket.on("data", onData).on("end", onEnd).on("error", ignore).on("close", stop);
}

/** "close" follows, and says all that counts; without a listener an error would end the process. */
function ignore(): void {}
