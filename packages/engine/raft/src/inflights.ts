import { invariant } from "@conclave/base";

/** The bounds of a window of appends. */
export interface InflightLimits {
  /** Most messages, at least 1. */
  readonly messages: number;
  /** Most bytes of commands; the message that crosses it is still sent. */
  readonly bytes: number;
}

interface Inflight {
  /** The last index of the message. */
  readonly index: number;
  readonly bytes: number;
}

/** The sliding window of appends that were sent to a follower and not yet acknowledged (thesis §10.2.1). */
export class Inflights {
  readonly #limits: InflightLimits;
  #window: Inflight[] = [];
  #bytes = 0;

  constructor(limits: InflightLimits) {
    this.#limits = limits;
  }

  /** How many messages are in flight. */
  get count(): number {
    return this.#window.length;
  }

  /** The bytes of commands in flight. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether nothing more may be sent. */
  get isFull(): boolean {
    return this.#window.length >= this.#limits.messages || this.#bytes >= this.#limits.bytes;
  }

  /** Adds a message that ends with `index`. The window is not full. */
  add(index: number, bytes: number): void {
    invariant(!this.isFull, "only a window with room takes a message", this.count, this.#bytes);
    const last = this.#window.at(-1)?.index ?? 0;
    invariant(index > last, "messages go out in order", index, last);
    this.#window.push({ index, bytes });
    this.#bytes += bytes;
  }

  /** Forgets the messages that end at or below `index`, which the follower has acknowledged. */
  freeUpTo(index: number): void {
    let freed = 0;
    for (const inflight of this.#window) {
      if (inflight.index > index) break;
      this.#bytes -= inflight.bytes;
      freed++;
    }
    this.#window.splice(0, freed);
  }

  /** Forgets all. */
  reset(): void {
    this.#window = [];
    this.#bytes = 0;
  }
}
