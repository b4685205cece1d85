import type { Clock, Random, Scheduler, Timer } from "@conclave/base";
import { seededRandom } from "./seeded-random.ts";

/** A clock and timers that move only when told to, and the randomness to go with them. */
export interface VirtualTime extends Clock, Scheduler {
  /** Random numbers from the same seed. */
  readonly random: Random;
  /** How many timers wait. */
  readonly pendingTimers: number;
  /** Lets everything happen that needs no time to pass: promises, and tasks for the end of the turn. */
  settle(): Promise<void>;
  /** Lets time pass, firing the timers that come due in the order of their time; ties in the order of their start. */
  advance(durationMs: number): Promise<void>;
  /**
   * Lets time pass while nothing runs, as for a process that is stopped and woken: timers that came due meanwhile
   * fire late, once, in one turn, and the clock shows the end of the pause to all of them.
   */
  pause(durationMs: number): Promise<void>;
  /**
   * Lets time pass from timer to timer until a condition holds.
   *
   * @param limitMs - most time to let pass; default one hour
   * @throws Error if the limit passes first or no timer is left that could change anything
   */
  run(until: () => boolean, limitMs?: number): Promise<void>;
  /**
   * Lets time pass until a promise has settled.
   *
   * @param limitMs - as for {@link VirtualTime.run}
   * @returns what the promise resolves to
   * @throws what the promise rejects with, or as {@link VirtualTime.run}
   */
  complete<T>(promise: Promise<T>, limitMs?: number): Promise<T>;
}

const defaultLimitMs = 3_600_000;
/** Tasks for the end of the turn may ask for another turn, but not for ever. */
const turnEndRoundsMax = 10_000;
/** 2024-01-01: a wall clock that starts at 0 would hide mistakes. */
const startWallMs = 1_704_067_200_000;

interface WaitingTimer {
  readonly dueMs: number;
  readonly task: () => void;
}

/**
 * Creates virtual time, starting at 0 ms. Nothing happens by itself: code under test moves only inside `settle`,
 * `advance`, `run` and `complete`, one event after the other, so the same seed gives the same run.
 *
 * @param seed - seeds {@link VirtualTime.random}
 */
export function virtualTime(seed = 0): VirtualTime {
  return new SteppedTime(seededRandom(seed));
}

class SteppedTime implements VirtualTime {
  readonly random: Random;
  #nowMs = 0;
  /** Ordered by due time, then by start. */
  readonly #timers: WaitingTimer[] = [];
  #turnEnd: (() => void)[] = [];

  constructor(random: Random) {
    this.random = random;
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return startWallMs + this.#nowMs;
  }

  after(delayMs: number, task: () => void): Timer {
    if (!(delayMs >= 0)) throw new RangeError(`Cannot wait for less than 0 ms: current value is ${delayMs}`);
    const timer = { dueMs: this.#nowMs + delayMs, task };
    const later = this.#timers.findLastIndex(({ dueMs }) => dueMs <= timer.dueMs) + 1;
    this.#timers.splice(later, 0, timer);
    return {
      cancel: () => {
        const at = this.#timers.indexOf(timer);
        if (at >= 0) this.#timers.splice(at, 1);
      },
    };
  }

  atTurnEnd(task: () => void): void {
    this.#turnEnd.push(task);
  }

  async settle(): Promise<void> {
    await promisesSettled();
    for (let round = 0; this.#turnEnd.length > 0; round++) {
      if (round === turnEndRoundsMax) throw new Error("Cannot settle as turn after turn asks for another one");
      const tasks = this.#turnEnd;
      this.#turnEnd = [];
      for (const task of tasks) task();
      await promisesSettled();
    }
  }

  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    await this.settle();
    for (let timer = this.#timers[0]; timer !== undefined && timer.dueMs <= endMs; timer = this.#timers[0])
      await this.#fire(timer);
    this.#nowMs = endMs;
  }

  async pause(durationMs: number): Promise<void> {
    await this.settle();
    this.#nowMs += durationMs;
    for (const timer of this.#timers.filter(({ dueMs }) => dueMs <= this.#nowMs)) {
      const at = this.#timers.indexOf(timer);
      if (at < 0) continue; // Cancelled by one before it.
      this.#timers.splice(at, 1);
      timer.task();
    }
    await this.settle();
  }

  async run(until: () => boolean, limitMs = defaultLimitMs): Promise<void> {
    const endMs = this.#nowMs + limitMs;
    await this.settle();
    while (!until()) {
      const [timer] = this.#timers;
      if (timer === undefined) throw new Error(`Cannot go on at ${this.#nowMs} ms as no timer is left`);
      if (timer.dueMs > endMs) throw new Error(`Cannot go on as ${limitMs} ms have passed`);
      await this.#fire(timer);
    }
  }

  async complete<T>(promise: Promise<T>, limitMs?: number): Promise<T> {
    let settled = false;
    const note = () => {
      settled = true;
    };
    promise.then(note, note);
    await this.run(() => settled, limitMs);
    return promise;
  }

  async #fire(timer: WaitingTimer): Promise<void> {
    this.#timers.shift();
    this.#nowMs = timer.dueMs;
    timer.task();
    await this.settle();
  }
}

/** Resolves when every promise that needs nothing but its turn has settled. */
function promisesSettled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
