import type { ServerResponse } from "node:http";
import type { Clock } from "@conclave/base";
import type { Message } from "@conclave/raft";
import { FrameWriter } from "./frame-writer.ts";
import { messageBytesMax } from "./message-codec.ts";
import type { PeerLimits } from "./options.ts";
import type { PeerCounters } from "./peer-counters.ts";
import type { StreamEncoder } from "./stream-codec.ts";

/** About how many bytes go into one write; the rest waits until the socket wants more. One that does not is found out. */
const writeBytes = 256 * 1024;
/** What the frame around a message takes. */
const frameBytesMax = 17;

/** What an outgoing stream is made of. */
export interface OutgoingStreamOptions {
  /** The body that is written to. Its head was sent. */
  readonly response: ServerResponse;
  /** How messages are written. */
  readonly encoder: StreamEncoder;
  /** Bounds of the queue, and of how long it may stand still. */
  readonly limits: PeerLimits;
  /** Time. */
  readonly clock: Clock;
  /** Counts what leaves. */
  readonly counters: PeerCounters;
  /** Called once for every time that the queue has become full. */
  readonly onFull: () => void;
}

/**
 * The end of a stream that is written to: a queue of messages, encoded when the socket takes them. Messages that are
 * queued together leave in one write.
 */
export class OutgoingStream {
  readonly #options: OutgoingStreamOptions;
  #queue: Message[] = [];
  #queuedBytes = 0;
  #full = false;
  #blockedSinceMs: number | undefined;

  constructor(options: OutgoingStreamOptions) {
    this.#options = options;
    options.response.on("drain", () => {
      this.#blockedSinceMs = undefined;
      this.flush();
    });
  }

  /** Queues a message; drops it if there is no room. */
  enqueue(message: Message): void {
    const { limits, onFull } = this.#options;
    const bytes = messageBytesMax(message) + frameBytesMax;
    if (this.#queue.length < limits.queuedMessagesMax && this.#queuedBytes + bytes <= limits.queuedBytesMax) {
      this.#queue.push(message);
      this.#queuedBytes += bytes;
      return;
    }
    if (this.#full) return;
    this.#full = true;
    onFull();
  }

  /** Writes what is queued, as far as the socket takes it. */
  flush(): void {
    while (this.#queue.length > 0 && this.#blockedSinceMs === undefined) this.#write(this.#takeBatch());
  }

  /** Says that the stream is there; gives it up if nobody has taken anything for too long. */
  keepAlive(): void {
    const { clock, limits, encoder } = this.#options;
    if (this.#blockedSinceMs !== undefined) {
      if (clock.monotonicMs() - this.#blockedSinceMs > limits.streamBlockedMs) this.destroy();
      return;
    }
    const writer = new FrameWriter();
    encoder.keepAlive(writer);
    this.#write(writer.finish());
  }

  /** Ends the stream once everything that the socket has taken is sent. */
  end(): void {
    this.flush();
    this.#options.response.end();
  }

  /** Ends the stream now. */
  destroy(): void {
    this.#options.response.destroy();
  }

  #takeBatch(): Uint8Array {
    const { encoder } = this.#options;
    const writer = new FrameWriter(Math.min(this.#queuedBytes, writeBytes));
    let count = 0;
    for (const message of this.#queue) {
      encoder.message(writer, message);
      count++;
      this.#queuedBytes -= messageBytesMax(message) + frameBytesMax;
      if (writer.length >= writeBytes) break;
    }
    this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count);
    if (this.#queue.length === 0) this.#full = false;
    return writer.finish();
  }

  #write(bytes: Uint8Array): void {
    this.#options.counters.sentBytes += bytes.length;
    if (!this.#options.response.write(bytes)) this.#blockedSinceMs = this.#options.clock.monotonicMs();
  }
}
