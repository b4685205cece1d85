import type { Timer } from "@conclave/base";
import type { Home } from "./home.ts";
import { formatId } from "./member-id.ts";
import type { PeerCounters } from "./peer-counters.ts";
import type { PeerUrls } from "./peer-urls.ts";

/** Clocks that differ by more confuse people who compare logs, and certificates. */
const clockDifferenceMsMax = 1000;

/** Whom to probe. */
export interface ProberOptions {
  /** The member at home. */
  readonly home: Home;
  /** The other member. */
  readonly peer: bigint;
  /** Where it is reached. */
  readonly urls: PeerUrls;
  /** Is told how long an answer took. */
  readonly counters: PeerCounters;
}

/**
 * Asks a peer for its time now and then, and warns when its clock is far from the one here. That a peer is lost is for
 * the streams to tell.
 */
export class Prober {
  readonly #options: ProberOptions;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Asks after a while, again and again. */
  start(): void {
    const { scheduler, limits } = this.#options.home;
    if (this.#closed) return;
    this.#timer = scheduler.after(limits.probeMs, () => void this.#probe().then(() => this.start()), {
      background: true,
    });
  }

  /** Asks no more. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #probe(): Promise<void> {
    const { home, peer, urls, counters } = this.#options;
    const { clock, limits, http } = home;
    const askedMs = clock.wallMs();
    const startMs = clock.monotonicMs();
    try {
      const call = { url: urls.current, method: "GET", path: "/raft/probing" } as const;
      const timeoutMs = limits.dialTimeoutMs + limits.replyTimeoutMs;
      const { body } = await http.exchange({ ...call, timeoutMs, replyBytesMax: limits.callBytesMax });
      counters.roundTrips.observe((clock.monotonicMs() - startMs) / 1000);
      const told = /"Now":"([^"]+)"/.exec(Buffer.from(body).toString())?.[1] ?? "";
      // Halfway between question and answer, as nobody knows better.
      this.#judge(Date.parse(told) - (askedMs + clock.wallMs()) / 2);
    } catch {
      // No answer: the streams find that out sooner.
      home.log.debug("a probe was not answered", { peer: formatId(peer) });
    }
  }

  #judge(differenceMs: number): void {
    const { home, peer } = this.#options;
    const fault = { message: "the clock of a peer differs", peer: formatId(peer) };
    if (Math.abs(differenceMs) > clockDifferenceMsMax) home.faults.warn({ ...fault, cause: "by more than a second" });
    else home.faults.clear(fault);
  }
}
