/** @module The frames of an HTTP/2 connection, found in bytes that come in pieces. */

/** Kinds of frames that are told apart (RFC 9113 §6). */
export const frameTypes = { headers: 0x1, settings: 0x4, windowUpdate: 0x8 } as const;

/** A frame; `bytes` is all of it, head included. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly bytes: Buffer;
}

const headBytes = 9;
/** What a server allows that says nothing else (RFC 9113 §6.5.2). */
const payloadBytesMax = 16_384;
const padded = 0x8;
const priority = 0x20;
const ack = 0x1;

/** What some bytes hold. */
export interface Scan {
  /** The whole frames at the front. */
  readonly frames: readonly Frame[];
  /** What is left: the beginning of the next one. */
  readonly rest: Buffer;
  /** Whether the next one can be waited for: a longer frame than was allowed will be refused. */
  readonly isSound: boolean;
}

/** Takes whole frames off the front of some bytes. */
export function takeFrames(bytes: Buffer): Scan {
  const frames: Frame[] = [];
  let at = 0;
  while (bytes.length - at >= headBytes) {
    const payloadBytes = bytes.readUIntBE(at, 3);
    if (payloadBytes > payloadBytesMax) return { frames, rest: bytes.subarray(at), isSound: false };
    const end = at + headBytes + payloadBytes;
    if (end > bytes.length) break;
    frames.push({ type: bytes[at + 3] ?? 0, flags: bytes[at + 4] ?? 0, bytes: bytes.subarray(at, end) });
    at = end;
  }
  return { frames, rest: bytes.subarray(at), isSound: true };
}

/** Whether a frame acknowledges settings. */
export function isSettingsAck({ type, flags }: Frame): boolean {
  return type === frameTypes.settings && (flags & ack) !== 0;
}

/** The compressed header fields that a HEADERS frame holds (RFC 9113 §6.2). */
export function headerBlockOf({ flags, bytes }: Frame): Buffer {
  const isPadded = (flags & padded) !== 0;
  const start = headBytes + (isPadded ? 1 : 0) + ((flags & priority) === 0 ? 0 : 5);
  const end = bytes.length - (isPadded ? (bytes[headBytes] ?? 0) : 0);
  return bytes.subarray(start, Math.max(start, end));
}

/** Settings that a server announces. */
export interface AnnouncedSettings {
  readonly maxConcurrentStreams: number;
  readonly initialWindowSize: number;
}

/** A frame of settings (RFC 9113 §6.5): pairs of an identifier and a value. */
export function settingsFrame({ maxConcurrentStreams, initialWindowSize }: AnnouncedSettings): Buffer {
  const pairs = [
    [0x3, maxConcurrentStreams],
    [0x4, initialWindowSize],
  ] as const;
  const frame = Buffer.alloc(headBytes + pairs.length * 6);
  frame.writeUIntBE(pairs.length * 6, 0, 3);
  frame[3] = frameTypes.settings;
  for (const [at, [identifier, value]] of pairs.entries()) {
    frame.writeUInt16BE(identifier, headBytes + at * 6);
    frame.writeUInt32BE(value, headBytes + at * 6 + 2);
  }
  return frame;
}
