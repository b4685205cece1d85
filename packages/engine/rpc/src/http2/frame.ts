/** @module The frames of HTTP/2 (RFC 9113 §4 and §6). */
import type { ErrorCode } from "./error-code.ts";

/** Kinds of frames. */
export const frameTypes = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

/** Flags; which of them a frame may have depends on its kind. */
export const flags = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** A frame that arrived. */
export interface Frame {
  /** One of {@link frameTypes}, or a kind that is not known. */
  readonly type: number;
  /** See {@link flags}. */
  readonly flags: number;
  /** The stream it belongs to; 0 for the connection. */
  readonly streamId: number;
  /** What follows its head: a view of the bytes received. */
  readonly payload: Buffer;
}

/** Bytes of a frame's head. */
export const headBytes = 9;

/** The longest payload that either side may send unless it was allowed more (RFC 9113 §6.5.2). */
export const payloadBytesDefault = 16_384;

/** What a frame's head says. */
type Head = Omit<Frame, "payload"> & { readonly length: number };

/** Writes a frame's head. @returns where its payload begins */
export function writeHead(bytes: Buffer, at: number, { length, type, flags, streamId }: Head): number {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes[at + 5] = streamId >>> 24;
  bytes[at + 6] = streamId >>> 16;
  bytes[at + 7] = streamId >>> 8;
  bytes[at + 8] = streamId;
  return at + headBytes;
}

/** A whole frame. */
export function frameOf({ payload, ...head }: Omit<Frame, "payload"> & { readonly payload: Uint8Array }): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes + payload.length);
  bytes.set(payload, writeHead(bytes, 0, { ...head, length: payload.length }));
  return bytes;
}

/** RST_STREAM: ends one stream. */
export function rstStreamFrame(streamId: number, code: ErrorCode): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(code);
  return frameOf({ type: frameTypes.rstStream, flags: 0, streamId, payload });
}

/** WINDOW_UPDATE: lets the other side send more, on a stream or, with 0, on all of them. */
export function windowUpdateFrame(streamId: number, bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(bytes);
  return frameOf({ type: frameTypes.windowUpdate, flags: 0, streamId, payload });
}

/** GOAWAY: streams above the last one were not looked at; there will be no more. */
export function goawayFrame(lastStreamId: number, code: ErrorCode, reason: string): Buffer {
  const payload = Buffer.alloc(8 + Buffer.byteLength(reason));
  payload.writeUInt32BE(lastStreamId, 0);
  payload.writeUInt32BE(code, 4);
  payload.write(reason, 8);
  return frameOf({ type: frameTypes.goaway, flags: 0, streamId: 0, payload });
}

/** SETTINGS: pairs of an identifier and a value. */
export function settingsFrame(settings: readonly (readonly [identifier: number, value: number])[]): Buffer {
  const payload = Buffer.allocUnsafe(settings.length * 6);
  for (const [at, [identifier, value]] of settings.entries()) {
    payload.writeUInt16BE(identifier, at * 6);
    payload.writeUInt32BE(value, at * 6 + 2);
  }
  return frameOf({ type: frameTypes.settings, flags: 0, streamId: 0, payload });
}

/** The acknowledgement of settings. */
export const settingsAck: Uint8Array = frameOf({
  type: frameTypes.settings,
  flags: flags.ack,
  streamId: 0,
  payload: new Uint8Array(),
});

/** PING, or the answer to one. */
export function pingFrame(payload: Uint8Array, isAck: boolean): Buffer {
  return frameOf({ type: frameTypes.ping, flags: isAck ? flags.ack : 0, streamId: 0, payload });
}
