/** @module The real world: clock and randomness of the process. Only the composition root takes these. */
import { randomBytes, randomInt } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { Clock, Random } from "@conclave/base";

/** The clocks of the machine. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};

const fractionBits = 2 ** 47;

/** Randomness that nobody can guess. */
export const systemRandom: Random = {
  below: (limit) => randomInt(limit),
  fraction: () => randomInt(fractionBits) / fractionBits,
  bytes: (length) => randomBytes(length),
};
