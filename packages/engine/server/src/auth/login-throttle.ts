import type { Clock, Scheduler } from "@conclave/base";
import { WireError } from "@conclave/protocol";

/** What logins are slowed by. */
export interface LoginThrottlePorts {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
}

interface Failures {
  count: number;
  /** When the next attempt may be looked at, in monotonic ms. */
  nextMs: number;
}

/** Failures without any consequence: people mistype. */
const freeFailures = 3;
const firstDelayMs = 100;
const delayMaxMs = 5_000;
/** Whoever would have to wait longer than this is sent away. */
const waitMaxMs = 5_000;
/** Pairs of user and peer that are kept in mind; beyond that, the one that failed longest ago is forgotten. */
const pairsMax = 4_096;

/**
 * Makes whoever fails to log in as some user from some address wait before the next try, twice as long each time. Other
 * users, and the same user from elsewhere, are not held up.
 */
export class LoginThrottle {
  readonly #ports: LoginThrottlePorts;
  /** The pair that failed last comes last. */
  readonly #failures = new Map<string, Failures>();

  constructor(ports: LoginThrottlePorts) {
    this.#ports = ports;
  }

  /** Pairs of user and peer that are kept in mind. */
  get size(): number {
    return this.#failures.size;
  }

  /**
   * Waits until a login may be looked at.
   *
   * @throws WireError `RequestTooManyRequests` if too many wait already
   */
  async admit(pair: string): Promise<void> {
    const failures = this.#failures.get(pair);
    if (failures === undefined || failures.count <= freeFailures) return;
    const nowMs = this.#ports.clock.monotonicMs();
    const waitMs = failures.nextMs - nowMs;
    if (waitMs > waitMaxMs) throw new WireError("RequestTooManyRequests");
    // The next attempt waits for this one, whatever becomes of it.
    failures.nextMs = Math.max(nowMs, failures.nextMs) + delayMs(failures.count);
    if (waitMs <= 0) return;
    await new Promise<void>((resolve) => void this.#ports.scheduler.after(waitMs, resolve, { background: true }));
  }

  /** Takes note that a login failed. */
  failed(pair: string): void {
    const count = (this.#failures.get(pair)?.count ?? 0) + 1;
    const nextMs = Math.max(
      this.#failures.get(pair)?.nextMs ?? 0,
      this.#ports.clock.monotonicMs() + (count > freeFailures ? delayMs(count) : 0),
    );
    this.#failures.delete(pair);
    this.#failures.set(pair, { count, nextMs });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > pairsMax && oldest !== undefined) this.#failures.delete(oldest);
  }

  /** Takes note that a login succeeded: the failures before it are forgiven. */
  succeeded(pair: string): void {
    this.#failures.delete(pair);
  }
}

function delayMs(failures: number): number {
  return Math.min(delayMaxMs, firstDelayMs * 2 ** Math.min(16, failures - freeFailures - 1));
}
