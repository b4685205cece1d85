/** @module The real clock and randomness. */
import { randomBytes, randomInt } from "node:crypto";
import { uptime } from "node:os";
import type { Clock, Random } from "@conclave/base";

/** `os.uptime` is exact to 10 ms only; less than this is not taken for a suspend. */
const suspendMsMin = 1_000;
/** Reading `os.uptime` costs as much as a hundred readings of the other clocks. */
const uptimeEveryMs = 1_000;

/** Where the system's clock reads, all in milliseconds. */
export interface ClockSources {
  /** Stands still while the machine is suspended. */
  running(): number;
  /** Goes on while the machine is suspended; coarse and costly. */
  up(): number;
  /** Goes on while the machine is suspended, and may be set. */
  wall(): number;
}

const systemClockSources: ClockSources = {
  running: () => performance.now(),
  up: () => uptime() * 1_000,
  wall: () => Date.now(),
};

/**
 * The machine's clock. `performance.now` stands still while the machine is suspended and `os.uptime` does not, so
 * the difference between the two that has built up since the clock was made is added. It is looked at every second,
 * and whenever the wall clock has moved differently, as it does at the end of a suspend.
 *
 * @param sources - what to read; default: the machine's clocks
 */
export function createSystemClock(sources: ClockSources = systemClockSources): Clock {
  const startGapMs = sources.up() - sources.running();
  let suspendedMs = 0;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let wallGapMs = 0;
  const look = (runningMs: number, gapMs: number) => {
    lookedAtMs = runningMs;
    wallGapMs = gapMs;
    const behindMs = sources.up() - runningMs - startGapMs;
    if (behindMs - suspendedMs >= suspendMsMin) suspendedMs = behindMs;
  };
  return {
    monotonicMs() {
      const runningMs = sources.running();
      const gapMs = sources.wall() - runningMs;
      if (runningMs - lookedAtMs >= uptimeEveryMs || Math.abs(gapMs - wallGapMs) >= suspendMsMin / 2)
        look(runningMs, gapMs);
      return runningMs + suspendedMs;
    },
    wallMs: () => sources.wall(),
  };
}

/** Randomness of the operating system. */
export const systemRandom: Random = {
  below: (limit) => (limit <= 2 ** 48 - 1 ? randomInt(limit) : Math.floor(systemRandom.fraction() * limit)),
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  bytes: (length) => randomBytes(length),
};
