/** @module The real clock, randomness and timers. */
import { randomBytes, randomInt } from "node:crypto";
import { uptime } from "node:os";
import type { Clock, Random, Scheduler } from "@conclave/base";

/** `os.uptime` is exact to 10 ms only; less than this is not taken for a suspend. */
const suspendMsMin = 1_000;

/**
 * The machine's clock. `performance.now` stands still while the machine is suspended and `os.uptime` does not,
 * so the difference between the two that has built up since the clock was made is added.
 *
 * @param sources - what to read, for tests: both in milliseconds
 */
export function createSystemClock(
  sources: { readonly running: () => number; readonly up: () => number } = {
    running: () => performance.now(),
    up: () => uptime() * 1_000,
  },
): Clock {
  const startGapMs = sources.up() - sources.running();
  let suspendedMs = 0;
  return {
    monotonicMs() {
      const runningMs = sources.running();
      const gapMs = sources.up() - runningMs - startGapMs;
      if (gapMs - suspendedMs >= suspendMsMin) suspendedMs = gapMs;
      return runningMs + suspendedMs;
    },
    wallMs: () => Date.now(),
  };
}

/** Randomness of the operating system. */
export const systemRandom: Random = {
  below: (limit) => (limit <= 2 ** 48 - 1 ? randomInt(limit) : Math.floor(systemRandom.fraction() * limit)),
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  bytes: (length) => randomBytes(length),
};

/** A longer delay makes Node's timers fire at once. */
const timerMsMax = 2 ** 31 - 1;

/** Node's timers. */
export const systemScheduler: Scheduler = {
  after(delayMs, task, options) {
    const deadlineMs = performance.now() + delayMs;
    let timeout: NodeJS.Timeout;
    const arm = () => {
      const leftMs = deadlineMs - performance.now();
      timeout = setTimeout(leftMs > timerMsMax ? arm : task, Math.min(Math.max(leftMs, 0), timerMsMax));
      if (options?.background) timeout.unref();
    };
    arm();
    return { cancel: () => clearTimeout(timeout) };
  },
  atTurnEnd(task) {
    setImmediate(task);
  },
};
