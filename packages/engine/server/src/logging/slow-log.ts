import type { Clock } from "@conclave/base";
import type { Log, LogFields } from "../log.ts";

/** Under overload everything is slow; a line a second tells it as well as thousands do, and costs nothing. */
const intervalMs = 1000;

/** Warns of what took long, at most once a second. */
export class SlowLog {
  readonly #log: Log;
  readonly #clock: Pick<Clock, "monotonicMs">;
  #nextMs = Number.NEGATIVE_INFINITY;
  #leftOut = 0;

  constructor(log: Log, clock: Pick<Clock, "monotonicMs">) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Writes a line, with how many were left out before it, or leaves it out. */
  warn(message: string, fields: LogFields): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#nextMs) {
      this.#leftOut++;
      return;
    }
    this.#log.warn(message, { ...fields, ...(this.#leftOut > 0 && { "more-since-last-line": this.#leftOut }) });
    this.#nextMs = nowMs + intervalMs;
    this.#leftOut = 0;
  }
}
