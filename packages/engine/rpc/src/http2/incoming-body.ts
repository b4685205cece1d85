import type { StreamReceiver } from "../transport.ts";
import { type ErrorCode, errorCodes } from "./error-code.ts";

/** Bytes a client may send ahead on one stream. */
export const streamWindowBytes: number = 512 * 1024;

/** What an {@link IncomingBody} tells its stream. */
export interface CreditTaker {
  /** Bytes of data were taken; `again` of them may be sent again on this stream. */
  onTaken(bytes: number, again: number): void;
}

/** So many frames, which may be of a byte each, are joined: each costs more memory than its bytes. */
const heldMax = 1_024;

interface HeldData {
  readonly bytes: Buffer;
  readonly windowBytes: number;
}

/** The data of one request: handed on as it arrives, or held while its reader has enough. */
export class IncomingBody {
  readonly #creditTaker: CreditTaker;
  readonly #length: number | undefined;
  #held: HeldData[] = [];
  #windowBytes = streamWindowBytes;
  #takenBytes = 0;
  #receivedBytes = 0;
  #isPaused = false;
  #isEnded = false;
  #isEndTold = false;
  receiver: StreamReceiver | undefined;

  /** @param length - as the request's header fields say, if they do */
  constructor(creditTaker: CreditTaker, length: number | undefined) {
    this.#creditTaker = creditTaker;
    this.#length = length;
  }

  /** Whether the client has ended its half. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * Takes the data of a frame.
   *
   * @param windowBytes - the length of the frame's payload, its padding included
   * @returns why the stream must end, if it must
   */
  push(bytes: Buffer, windowBytes: number): ErrorCode | undefined {
    if (this.#isEnded) return errorCodes.streamClosed;
    this.#windowBytes -= windowBytes;
    if (this.#windowBytes < 0) return errorCodes.flowControlError;
    this.#receivedBytes += bytes.length;
    if (this.#length !== undefined && this.#receivedBytes > this.#length) return errorCodes.protocolError;
    if (this.#isPaused || this.receiver === undefined) this.#hold({ bytes, windowBytes });
    else this.#deliver({ bytes, windowBytes });
    return undefined;
  }

  /**
   * The client has ended its half.
   *
   * @returns why the stream must end, if it must
   */
  end(): ErrorCode | undefined {
    if (this.#isEnded) return errorCodes.streamClosed;
    this.#isEnded = true;
    if (this.#length !== undefined && this.#receivedBytes !== this.#length) return errorCodes.protocolError;
    this.#tellEnd();
    return undefined;
  }

  /** Holds what arrives from now on. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Hands on what was held, until it is paused again. */
  resume(): void {
    this.#isPaused = false;
    while (!this.#isPaused && this.receiver !== undefined) {
      const data = this.#held.shift();
      if (data === undefined) break;
      this.#deliver(data);
    }
    this.#tellEnd();
  }

  /** Gives up what was held. @returns how much of the connection's window it took */
  discard(): number {
    const windowBytes = windowBytesOf(this.#held);
    this.#held = [];
    return windowBytes;
  }

  #hold(data: HeldData): void {
    if (this.#held.push(data) === heldMax) this.#held = [joinHeld(this.#held)];
  }

  #deliver({ bytes, windowBytes }: HeldData): void {
    this.#takenBytes += windowBytes;
    // Told in large portions, and not at all once no more is to come.
    const again = this.#takenBytes >= streamWindowBytes / 2 && !this.#isEnded ? this.#takenBytes : 0;
    this.#takenBytes -= again;
    this.#windowBytes += again;
    this.#creditTaker.onTaken(windowBytes, again);
    if (bytes.length > 0) this.receiver?.onData(bytes);
  }

  #tellEnd(): void {
    if (!this.#isEnded || this.#isPaused || this.#held.length > 0 || this.#isEndTold) return;
    if (this.receiver === undefined) return;
    this.#isEndTold = true;
    this.receiver.onEnd();
  }
}

function joinHeld(held: readonly HeldData[]): HeldData {
  return { bytes: Buffer.concat(held.map(({ bytes }) => bytes)), windowBytes: windowBytesOf(held) };
}

function windowBytesOf(held: readonly HeldData[]): number {
  return held.reduce((sum, data) => sum + data.windowBytes, 0);
}
