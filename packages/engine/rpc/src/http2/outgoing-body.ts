import type { OutgoingFields } from "../transport.ts";
import { payloadBytesDefault } from "./frame.ts";
import type { Sender, WaitingData } from "./sender.ts";

/** What an {@link OutgoingBody} tells its stream. */
export interface BodyListener {
  /** Everything written has left, after something had to wait. */
  onDrain(): void;
  /** The trailers have left. */
  onSent(): void;
}

/**
 * The data of one response. What would fill less than a frame waits for the end of the turn, so that it shares one with
 * what is written behind it; and what the client's windows and socket have no room for waits for that.
 */
export class OutgoingBody implements WaitingData {
  readonly #sender: Sender;
  readonly #streamId: number;
  readonly #listener: BodyListener;
  readonly #pieces: Uint8Array[] = [];
  #bufferedBytes = 0;
  #trailers: OutgoingFields | undefined;
  /** Whether it waits for its turn on the connection, not for the client to take more on this stream. */
  #isQueued = false;
  /** What the stream's own window has room for; below 0 after the client has made it smaller. */
  windowBytes: number;

  /**
   * @param sender - the connection's
   * @param stream - its number, and what the client takes on it without being asked
   * @param listener - is told what becomes of it
   */
  constructor(sender: Sender, stream: { readonly id: number; readonly windowBytes: number }, listener: BodyListener) {
    this.#sender = sender;
    this.#streamId = stream.id;
    this.#listener = listener;
    this.windowBytes = stream.windowBytes;
  }

  /** Bytes that wait. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Adds data. */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#bufferedBytes += bytes.length;
    this.#sender.countWaiting(bytes.length);
    while (this.#bufferedBytes >= payloadBytesDefault && this.windowBytes > 0 && this.#sender.hasRoom)
      this.#sendFrame();
    this.#queue();
  }

  /** Ends the response behind its data. */
  end(trailers: OutgoingFields): void {
    this.#trailers = trailers;
    while (this.#bufferedBytes > 0 && this.windowBytes > 0 && this.#sender.hasRoom) this.#sendFrame();
    if (this.#bufferedBytes === 0) this.#finish(trailers);
  }

  /** The client takes more on this stream. */
  widen(bytes: number): void {
    this.windowBytes += bytes;
    this.#queue();
  }

  /** Gives up what waits. */
  discard(): void {
    this.#pieces.length = 0;
    this.#sender.countWaiting(-this.#bufferedBytes);
    this.#bufferedBytes = 0;
    this.#sender.forget(this);
  }

  sendOne(): boolean {
    if (this.#bufferedBytes > 0 && this.windowBytes > 0) this.#sendFrame();
    this.#isQueued = this.#bufferedBytes > 0 && this.windowBytes > 0;
    if (this.#bufferedBytes === 0) this.#onSent();
    return this.#isQueued;
  }

  /** Has what waits sent at the end of the turn, or when there is room. */
  #queue(): void {
    if (this.#isQueued || this.#bufferedBytes === 0 || this.windowBytes <= 0) return;
    this.#isQueued = true;
    this.#sender.wait(this);
  }

  #sendFrame(): void {
    const length = Math.min(this.#bufferedBytes, payloadBytesDefault, this.windowBytes, this.#sender.windowBytes);
    this.windowBytes -= length;
    this.#bufferedBytes -= length;
    this.#sender.countWaiting(-length);
    this.#sender.sendData(this.#streamId, this.#take(length), length);
  }

  /** Takes pieces of this length together off those that wait. */
  #take(length: number): readonly Uint8Array[] {
    let count = 0;
    let rest = length;
    for (let piece = this.#pieces[0]; piece !== undefined && piece.length <= rest; piece = this.#pieces[++count])
      rest -= piece.length;
    const taken = this.#pieces.splice(0, count);
    const [divided] = this.#pieces;
    if (divided === undefined || rest === 0) return taken;
    taken.push(divided.subarray(0, rest));
    this.#pieces[0] = divided.subarray(rest);
    return taken;
  }

  #onSent(): void {
    if (this.#trailers === undefined) this.#listener.onDrain();
    else this.#finish(this.#trailers);
  }

  #finish(trailers: OutgoingFields): void {
    this.#sender.sendHeaders(this.#streamId, trailers, true);
    this.#listener.onSent();
  }
}
