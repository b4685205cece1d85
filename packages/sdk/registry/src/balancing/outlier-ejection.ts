import type { Clock } from "@conclave/base";
import { type Candidate, Memory, type RequestResult } from "./balancer.ts";

/** When an instance is left out because its requests fail. */
export interface EjectionOptions {
  /** How many requests in a row must fail; at least 1. Default: 5. */
  readonly failures?: number | undefined;
  /** How long it is left out the first time, in milliseconds; twice as long each time it fails again. Default: 10 000. */
  readonly ejectMs?: number | undefined;
  /** The longest time it is left out, in milliseconds. Default: 300 000. */
  readonly ejectMsMax?: number | undefined;
  /** The largest share of the instances that is left out at a time, in [0, 1]. Default: 0.5. */
  readonly share?: number | undefined;
}

interface Conduct {
  /** In a row. */
  failures: number;
  /** In a row, without a success after it was back. */
  ejections: number;
  untilMs: number;
}

/**
 * Leaves out instances whose requests fail, judged by what this process sees. Never more than a share of them: when all
 * fail, the fault is elsewhere, and leaving them out would add to it. One that comes back is left out longer if its first
 * request fails, and trusted as before if it succeeds.
 */
export class OutlierEjection {
  readonly #clock: Clock;
  readonly #failures: number;
  readonly #ejectMs: number;
  readonly #ejectMsMax: number;
  readonly #share: number;
  readonly #conducts = new Memory<Conduct>(() => ({ failures: 0, ejections: 0, untilMs: Number.NEGATIVE_INFINITY }));
  #candidates: readonly Candidate[] = [];
  #admitted: readonly Candidate[] = [];
  #validUntilMs = Number.NEGATIVE_INFINITY;

  /** @param options - the clock, and when to leave out */
  constructor({ clock, ...options }: EjectionOptions & { readonly clock: Clock }) {
    this.#clock = clock;
    this.#failures = options.failures ?? 5;
    this.#ejectMs = options.ejectMs ?? 10_000;
    this.#ejectMsMax = options.ejectMsMax ?? 300_000;
    this.#share = options.share ?? 0.5;
  }

  /** Those that are not left out; the same array until they change. */
  admit<Each extends Candidate>(candidates: readonly Each[]): readonly Each[] {
    const nowMs = this.#clock.monotonicMs();
    if (candidates !== this.#candidates || nowMs >= this.#validUntilMs) this.#judge(candidates, nowMs);
    return this.#admitted as readonly Each[]; // Some of these very candidates.
  }

  /** Takes note of how a request went. */
  finished(instance: Candidate, result: RequestResult): void {
    const nowMs = this.#clock.monotonicMs();
    const conduct = this.#conducts.of(instance);
    // What was under way when it was left out says nothing about how it will be when it is back.
    if (result === "canceled" || conduct.untilMs > nowMs) return;
    if (result === "ok") {
      conduct.failures = 0;
      conduct.ejections = 0;
      return;
    }
    conduct.failures += 1;
    const enough = conduct.ejections > 0 ? 1 : this.#failures;
    if (conduct.failures >= enough && this.#mayEject(nowMs)) this.#eject(conduct, nowMs);
  }

  #eject(conduct: Conduct, nowMs: number): void {
    conduct.failures = 0;
    conduct.untilMs = nowMs + Math.min(this.#ejectMsMax, this.#ejectMs * 2 ** conduct.ejections);
    conduct.ejections += 1;
    this.#validUntilMs = Number.NEGATIVE_INFINITY;
  }

  #mayEject(nowMs: number): boolean {
    const ejected = this.#candidates.filter((candidate) => this.#conducts.of(candidate).untilMs > nowMs);
    return ejected.length + 1 <= this.#candidates.length * this.#share;
  }

  #judge(candidates: readonly Candidate[], nowMs: number): void {
    this.#conducts.keep(candidates);
    this.#candidates = candidates;
    const ends = candidates.map((candidate) => this.#conducts.of(candidate).untilMs);
    const admitted = candidates.filter((_candidate, at) => (ends[at] ?? 0) <= nowMs);
    const ejected = candidates.length - admitted.length;
    // Other candidates may have gone since these were left out, so that they are too many now.
    this.#admitted = ejected === 0 || ejected > candidates.length * this.#share ? candidates : admitted;
    this.#validUntilMs = Math.min(...ends.filter((end) => end > nowMs), Number.POSITIVE_INFINITY);
  }
}
