/** @module What a frame must be, whatever the state of its connection: who sends another one ends it. */
import type { HeaderFields } from "../transport.ts";
import { ConnectionError, errorCodes } from "./error-code.ts";
import { type Frame, flags } from "./frame.ts";
import { windowBytesMax } from "./settings.ts";

/** A frame that belongs to a stream. */
export function requireStream({ streamId }: Frame): void {
  if (streamId === 0) throw new ConnectionError(errorCodes.protocolError, "a frame of a stream without its number");
}

/** A frame that belongs to the connection. */
export function requireConnection({ streamId }: Frame): void {
  if (streamId !== 0) throw new ConnectionError(errorCodes.protocolError, "a frame of the connection on a stream");
}

/** A frame whose payload has one length. */
export function requireLength({ payload }: Frame, length: number): void {
  if (payload.length !== length)
    throw new ConnectionError(errorCodes.frameSizeError, `a frame of ${payload.length} bytes instead of ${length}`);
}

/** The size that a window is to have. */
export function requireWindow(bytes: number): void {
  if (bytes > windowBytesMax) throw new ConnectionError(errorCodes.flowControlError, "a window of 2^31 bytes");
}

/** A GOAWAY frame. */
export function requireGoaway(frame: Frame): void {
  requireConnection(frame);
  if (frame.payload.length < 8) throw new ConnectionError(errorCodes.frameSizeError, "GOAWAY too short");
}

/** The data of a frame, without its padding. */
export function dataOf({ flags: bits, payload }: Frame): Buffer {
  if ((bits & flags.padded) === 0) return payload;
  const end = payload.length - (payload[0] ?? 0);
  if (end < 1) throw new ConnectionError(errorCodes.protocolError, "padding longer than its frame");
  return payload.subarray(1, end);
}

/** How long the body of a request is to be, as its header fields say, if they do. */
export function contentLengthOf(headers: HeaderFields): number | undefined | "malformed" {
  const value = headers["content-length"];
  if (value === undefined) return undefined;
  return typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : "malformed";
}
