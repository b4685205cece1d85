/**
 * @module What a connection sends. Everything of one turn of the event loop is gathered and written at once; header
 * fields and frames of control go out at once, data as the windows of the client and its socket have room.
 */
import type { Duplex } from "node:stream";
import type { OutgoingFields } from "../transport.ts";
import { flags, frameOf, frameTypes, headBytes, payloadBytesDefault, writeHead } from "./frame.ts";
import { HpackEncoder } from "./hpack/encoder.ts";
import { windowBytesDefault } from "./settings.ts";

/** Bytes that the socket has not taken, above which no more data is given to it. */
const fullBytes = 256 * 1024;

/** Above this, several buffers are handed over as they are instead of being joined. */
const joinedBytesMax = 64 * 1024;

/** Data that waits for the end of the turn, or for room on the connection. */
export interface WaitingData {
  /** Sends one frame. @returns whether more is to be sent that the stream's own window allows */
  sendOne(): boolean;
}

/** A whole response, as {@link Sender.sendAll} sends it. */
export interface WholeResponse {
  readonly headers: OutgoingFields;
  readonly bytes: Uint8Array;
  readonly trailers: OutgoingFields;
}

/** What a {@link Sender} tells its connection. */
export interface SenderListener {
  /** Some data is on its way. */
  onData(): void;
  /** The end of a turn in which something was sent, or was to be told. */
  onFlushed(): void;
}

/** The sending side of a connection. */
export class Sender {
  readonly #socket: Duplex;
  readonly #listener: SenderListener;
  readonly #encoder = new HpackEncoder();
  readonly #waiting = new Set<WaitingData>();
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #isFlushing = false;
  #windowBytes = windowBytesDefault;
  #waitingBytes = 0;

  /**
   * @param socket - takes what is sent
   * @param listener - is told what becomes of it
   */
  constructor(socket: Duplex, listener: SenderListener) {
    this.#socket = socket;
    this.#listener = listener;
    socket.on("drain", () => this.#goOn());
  }

  /** Bytes that the client's window for the connection has room for; see {@link hasRoom}. */
  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** Bytes that the socket has not taken. */
  get unsentBytes(): number {
    return this.#bytes + this.#socket.writableLength;
  }

  /** Whether data may be sent now: the client and its socket take more. */
  get hasRoom(): boolean {
    return this.#windowBytes > 0 && this.unsentBytes < fullBytes;
  }

  /** Bytes of responses that wait for the client to take more. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Counts bytes of responses that have begun to wait, or, below 0, that wait no more. */
  countWaiting(bytes: number): void {
    this.#waitingBytes += bytes;
  }

  /** The client allows another size of the table for compressed fields. */
  limitTable(bytesMax: number): void {
    this.#encoder.limitTable(bytesMax);
  }

  /** The client takes more. */
  widen(bytes: number): void {
    this.#windowBytes += bytes;
    this.#goOn();
  }

  /** Sends whole frames. */
  send(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
    this.touch();
  }

  /** Has the end of the turn told, though there may be nothing to send. */
  touch(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    process.nextTick(flush, this);
  }

  /** Sends header fields, or trailers. */
  sendHeaders(streamId: number, fields: OutgoingFields, isEnd: boolean): void {
    const block = this.#encoder.encode(fields);
    const endFlag = isEnd ? flags.endStream : 0;
    if (block.length <= payloadBytesDefault) {
      this.send(frameOf({ type: frameTypes.headers, flags: flags.endHeaders | endFlag, streamId, payload: block }));
      return;
    }
    for (let at = 0; at < block.length; at += payloadBytesDefault) {
      const isLast = at + payloadBytesDefault >= block.length;
      const payload = block.subarray(at, at + payloadBytesDefault);
      const type = at === 0 ? frameTypes.headers : frameTypes.continuation;
      const bits = (at === 0 ? endFlag : 0) | (isLast ? flags.endHeaders : 0);
      this.send(frameOf({ type, flags: bits, streamId, payload }));
    }
  }

  /** Sends some data in one frame, at most {@link payloadBytesDefault}, for which there is room. */
  sendData(streamId: number, pieces: readonly Uint8Array[], length: number): void {
    this.#windowBytes -= length;
    this.#listener.onData();
    const frame = Buffer.allocUnsafe(headBytes + length);
    let at = writeHead(frame, 0, { length, type: frameTypes.data, flags: 0, streamId });
    for (const piece of pieces) {
      frame.set(piece, at);
      at += piece.length;
    }
    this.send(frame);
  }

  /**
   * Sends a whole response in one piece, if it fits into one frame of data and there is room for that.
   *
   * @param windowBytes - what the stream's own window has room for
   * @returns whether it was sent
   */
  sendAll(streamId: number, { headers, bytes, trailers }: WholeResponse, windowBytes: number): boolean {
    const { length } = bytes;
    if (length > payloadBytesDefault || length > windowBytes || length > this.#windowBytes || !this.hasRoom)
      return false;
    const head = this.#encoder.encode(headers);
    const tail = this.#encoder.encode(trailers);
    const whole = Buffer.allocUnsafe(3 * headBytes + head.length + length + tail.length);
    let at = writeHead(whole, 0, { length: head.length, type: frameTypes.headers, flags: flags.endHeaders, streamId });
    whole.set(head, at);
    at = writeHead(whole, at + head.length, { length, type: frameTypes.data, flags: 0, streamId });
    whole.set(bytes, at);
    const bits = flags.endHeaders | flags.endStream;
    at = writeHead(whole, at + length, { length: tail.length, type: frameTypes.headers, flags: bits, streamId });
    whole.set(tail, at);
    this.#windowBytes -= length;
    this.send(whole);
    return true;
  }

  /** Has data sent at the end of the turn, or else when there is room, in turn with that of other streams. */
  wait(data: WaitingData): void {
    this.#waiting.add(data);
    this.touch();
  }

  /** The data is not to be sent any more. */
  forget(data: WaitingData): void {
    this.#waiting.delete(data);
  }

  /** Hands over what was gathered, unless that was done since. */
  flushTouched(): void {
    if (this.#isFlushing) this.flush();
  }

  /** Hands over what was gathered. */
  flush(): void {
    this.#goOn();
    this.#isFlushing = false;
    const parts = this.#parts;
    const bytes = this.#bytes;
    this.#parts = [];
    this.#bytes = 0;
    const [first] = parts;
    if (first !== undefined && this.#socket.writable) {
      if (parts.length === 1) this.#socket.write(first);
      else if (bytes <= joinedBytesMax) this.#socket.write(Buffer.concat(parts, bytes));
      else this.#writeEach(parts);
    }
    this.#listener.onFlushed();
  }

  #writeEach(parts: readonly Uint8Array[]): void {
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  }

  #goOn(): void {
    for (const data of this.#waiting) {
      if (!this.hasRoom) return;
      this.#waiting.delete(data);
      // At the end of the set, behind the others: the loop comes back to it.
      if (data.sendOne()) this.#waiting.add(data);
    }
  }
}

/** Does nothing if everything has left in the meantime. */
function flush(sender: Sender): void {
  sender.flushTouched();
}
