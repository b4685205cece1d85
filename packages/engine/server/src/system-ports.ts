/** @module The real world: clock, timers and randomness of the process. Only the composition root takes these. */
import { randomBytes, randomInt } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { Clock, Random, Scheduler } from "@conclave/base";

/** The clocks of the machine. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};

/** The timers of the event loop. The end of a turn comes after its sockets have been read (the check phase). */
export const systemScheduler: Scheduler = {
  after(delayMs, task, options) {
    const timer = setTimeout(task, delayMs);
    if (options?.background === true) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  atTurnEnd(task) {
    setImmediate(task);
  },
};

const fractionBits = 2 ** 47;

/** Randomness that nobody can guess. */
export const systemRandom: Random = {
  below: (limit) => randomInt(limit),
  fraction: () => randomInt(fractionBits) / fractionBits,
  bytes: (length) => randomBytes(length),
};
