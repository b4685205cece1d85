import { ConnectionError, errorCodes } from "./error-code.ts";
import { type Frame, headBytes, payloadBytesDefault } from "./frame.ts";

/** Every connection begins so (RFC 9113 §3.4). */
const prefaceBytes = 24;

/** Cuts the bytes of a connection, which arrive in any pieces, into frames. */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => boolean;
  #pieces: Buffer[] = [];
  #heldBytes = 0;
  #neededBytes = 0;
  #isPrefaceRead = false;

  /** @param onFrame - is given each frame, and says whether to go on */
  constructor(onFrame: (frame: Frame) => boolean) {
    this.#onFrame = onFrame;
  }

  /**
   * Takes the next bytes, which must not change afterwards. The preface was looked at by who found out that this
   * is HTTP/2.
   *
   * @throws ConnectionError if a frame is longer than was allowed, and what `onFrame` throws
   */
  push(piece: Buffer): void {
    const bytes = this.#join(piece);
    if (bytes === undefined) return;
    let at = this.#isPrefaceRead ? 0 : prefaceBytes;
    if (bytes.length < at) {
      this.#hold(bytes, at);
      return;
    }
    this.#isPrefaceRead = true;
    while (bytes.length - at >= headBytes) {
      const payloadBytes = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
      if (payloadBytes > payloadBytesDefault)
        throw new ConnectionError(errorCodes.frameSizeError, `a frame of ${payloadBytes} bytes`);
      const end = at + headBytes + payloadBytes;
      if (bytes.length < end) {
        this.#hold(bytes.subarray(at), end - at);
        return;
      }
      if (!this.#onFrame(frameAt(bytes, at, end))) return;
      at = end;
    }
    if (at < bytes.length) this.#hold(bytes.subarray(at), headBytes);
  }

  /** What was held back and a piece; undefined while it is too little for a frame. */
  #join(piece: Buffer): Buffer | undefined {
    if (this.#heldBytes === 0) return piece;
    this.#pieces.push(piece);
    this.#heldBytes += piece.length;
    if (this.#heldBytes < this.#neededBytes) return undefined;
    const joined = Buffer.concat(this.#pieces, this.#heldBytes);
    this.#pieces = [];
    this.#heldBytes = 0;
    return joined;
  }

  #hold(bytes: Buffer, neededBytes: number): void {
    this.#pieces = [bytes];
    this.#heldBytes = bytes.length;
    this.#neededBytes = neededBytes;
  }
}

function frameAt(bytes: Buffer, at: number, end: number): Frame {
  return {
    type: bytes[at + 3] as number,
    flags: bytes[at + 4] as number,
    // The highest bit is reserved.
    streamId: bytes.readUInt32BE(at + 5) & 0x7fffffff,
    payload: bytes.subarray(at + headBytes, end),
  };
}
