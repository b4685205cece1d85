import type { Clock, Random, Scheduler, Timer } from "@conclave/base";
import { seededRandom } from "./seeded-random.ts";
import { TimerHeap, type WaitingTimer } from "./timer-heap.ts";

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
/**
 * Steps that are lined up for one round of Node's event loop. Between two of them Node lets all promises settle, as it
 * does between two rounds, and a round costs several times as much as a step.
 */
const stepsPerRound = 64;

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
  readonly #timers = new TimerHeap();
  #turnEnd: (() => void)[] = [];
  #turnEndRounds = 0;

  constructor(random: Random) {
    this.random = random;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return startWallMs + this.#nowMs;
  }

  after(delayMs: number, task: () => void): Timer {
    if (!(delayMs >= 0)) throw new RangeError(`Cannot wait for less than 0 ms: current value is ${delayMs}`);
    const timer = this.#timers.add(this.#nowMs + delayMs, task);
    return { cancel: () => this.#timers.cancel(timer) };
  }

  atTurnEnd(task: () => void): void {
    this.#turnEnd.push(task);
  }

  settle(): Promise<void> {
    return this.#drive(() => "done");
  }

  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    await this.#drive(() => {
      const timer = this.#timers.next;
      return timer === undefined || timer.dueMs > endMs ? "done" : this.#fire(timer);
    });
    this.#nowMs = endMs;
  }

  async pause(durationMs: number): Promise<void> {
    await this.settle();
    this.#nowMs += durationMs;
    // What the late timers start is due later, so that each of them fires once.
    const before = this.#timers.started;
    const isLate = ({ dueMs, order }: WaitingTimer) => dueMs <= this.#nowMs && order < before;
    while (this.#timers.next !== undefined && isLate(this.#timers.next)) this.#timers.fireNext();
    await this.settle();
  }

  async run(until: () => boolean, limitMs = defaultLimitMs): Promise<void> {
    const endMs = this.#nowMs + limitMs;
    await this.#drive(() => {
      if (until()) return "done";
      const timer = this.#timers.next;
      if (timer === undefined) throw new Error(`Cannot go on at ${this.#nowMs} ms as no timer is left`);
      if (timer.dueMs > endMs) throw new Error(`Cannot go on as ${limitMs} ms have passed`);
      return this.#fire(timer);
    });
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

  #fire({ dueMs }: WaitingTimer): "more" {
    this.#nowMs = dueMs;
    this.#timers.fireNext();
    return "more";
  }

  /**
   * Takes one step after the other, each when nothing is left that needs no time to pass, until one says that it was
   * the last.
   *
   * @throws what a step throws
   */
  #drive(step: () => "done" | "more"): Promise<void> {
    return new Promise((resolve, reject) => {
      let left = 0;
      let isOver = false;
      const next = () => {
        if (isOver) return;
        try {
          isOver = !this.#endTurn() && step() === "done";
        } catch (error) {
          isOver = true;
          reject(error as Error);
        }
        if (isOver) resolve();
        else if (--left === 0) lineUp();
      };
      const lineUp = () => {
        for (left = 0; left < stepsPerRound; left++) setImmediate(next);
      };
      lineUp();
    });
  }

  /** Runs what waits for the end of the turn. @returns whether anything did */
  #endTurn(): boolean {
    if (this.#turnEnd.length === 0) {
      this.#turnEndRounds = 0;
      return false;
    }
    if (this.#turnEndRounds++ === turnEndRoundsMax)
      throw new Error("Cannot settle as turn after turn asks for another one");
    const tasks = this.#turnEnd;
    this.#turnEnd = [];
    for (const task of tasks) task();
    return true;
  }
}
