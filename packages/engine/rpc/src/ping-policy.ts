/**
 * @module How often a client may ping, as grpc-go's servers enforce it. A ping too soon after the one before is a
 * strike; a third strike ends the connection. A response that was sent in between wipes the strikes out, so
 * that a client may measure the connection while it is in use.
 */

/** Without an open stream a client has no reason to ping, and may do so only this often. */
const idleIntervalMs = 2 * 3_600_000;

const strikesMax = 2;

/** The pings of one connection. */
export class PingPolicy {
  readonly #minIntervalMs: number;
  #lastPingMs = Number.NEGATIVE_INFINITY;
  #strikes = 0;
  #sentSince = false;

  /** @param minIntervalMs - least time between two pings while a stream is open */
  constructor(minIntervalMs: number) {
    this.#minIntervalMs = minIntervalMs;
  }

  /** A response was sent. */
  onSent(): void {
    this.#sentSince = true;
  }

  /**
   * A ping arrived.
   *
   * @returns whether the client pings too often for the connection to be kept
   */
  isTooMany({ nowMs, openStreams }: { readonly nowMs: number; readonly openStreams: number }): boolean {
    const elapsedMs = nowMs - this.#lastPingMs;
    this.#lastPingMs = nowMs;
    if (this.#sentSince) {
      this.#sentSince = false;
      this.#strikes = 0;
    } else if (elapsedMs < (openStreams > 0 ? this.#minIntervalMs : idleIntervalMs)) this.#strikes++;
    return this.#strikes > strikesMax;
  }
}
