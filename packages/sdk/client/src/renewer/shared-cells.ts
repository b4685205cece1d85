/**
 * @module What the main thread and the renewer's thread tell each other without messages, which a blocked event loop
 * would not read. All times are milliseconds of the machine's monotonic clock, which all threads share.
 */

/** The clock that all threads of a process share, in milliseconds. */
export function sharedClockMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** The main thread's sign of life. */
export class Heartbeat {
  /** What the other thread is given. */
  readonly buffer: SharedArrayBuffer;
  readonly #cell: BigInt64Array;

  /** @param buffer - that of the other side; default: a new one */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(8)) {
    this.buffer = buffer;
    this.#cell = new BigInt64Array(buffer);
  }

  /** The main loop runs. */
  beat(): void {
    Atomics.store(this.#cell, 0, BigInt(Math.floor(sharedClockMs())));
  }

  /** How long ago the main loop last ran, in milliseconds. */
  get ageMs(): number {
    return sharedClockMs() - Number(Atomics.load(this.#cell, 0));
  }
}

/** A renewal, as the renewer's thread noted it. */
export interface NotedRenewal {
  /** When the request was sent. */
  readonly sentAtMs: number;
  /** The TTL the member granted, in seconds. */
  readonly ttlSec: number;
}

const sentAt = 0;
const ttl = 1;
const nothing = 0n;

/** The last renewal of one lease. One thread writes, the other reads. */
export class RenewalCell {
  /** What the other thread is given. */
  readonly buffer: SharedArrayBuffer;
  readonly #cells: BigInt64Array;

  /** @param buffer - that of the other side; default: a new one */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.buffer = buffer;
    this.#cells = new BigInt64Array(buffer);
  }

  /** Notes a renewal. */
  write({ sentAtMs, ttlSec }: NotedRenewal): void {
    // While the two do not belong together there is nothing to read.
    Atomics.store(this.#cells, sentAt, nothing);
    Atomics.store(this.#cells, ttl, BigInt(ttlSec));
    Atomics.store(this.#cells, sentAt, BigInt(Math.floor(sentAtMs)));
  }

  /** The last renewal; undefined if there is none yet, or it is being written just now. */
  read(): NotedRenewal | undefined {
    const before = Atomics.load(this.#cells, sentAt);
    const ttlSec = Number(Atomics.load(this.#cells, ttl));
    if (before === nothing || Atomics.load(this.#cells, sentAt) !== before) return undefined;
    return { sentAtMs: Number(before), ttlSec };
  }
}
