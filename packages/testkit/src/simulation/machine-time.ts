/**
 * @module The time of one machine of a simulation. Its clock starts somewhere, runs a little too fast or too slow and
 * can be set; its processes can be stopped and woken, and killed: then nothing that they were waiting for happens.
 */
import { type Clock, invariant, type Scheduler, type Timer } from "@conclave/base";
import type { VirtualTime } from "../virtual-time.ts";

/** How the clock of a machine differs from the time of the simulation. */
export interface MachineClock {
  /** What the monotonic clock shows when the simulation starts, in milliseconds; default: 0. */
  readonly startMs?: number;
  /** Milliseconds that the wall clock is ahead; default: 0. */
  readonly wallAheadMs?: number;
  /** How fast it runs, 1 being right; default: 1. */
  readonly rate?: number;
}

type Task = () => void;

/** Clock and timers as one process on a machine has them. Once it was killed nothing that it starts happens. */
export interface ProcessTime extends Clock, Scheduler {
  /** Whether the process was not killed. */
  readonly isAlive: boolean;
  /**
   * A task as the process may run it when it happens: only while it lives, and not in a pause.
   *
   * @param late - what to do when the pause is over, if there is one; default: the task
   */
  bind(task: () => void, late?: () => void): () => void;
  /** Runs a task now; after the pause if there is one. */
  deliver(task: () => void): void;
  /** Waits until the machine's clock shows so much more. */
  sleep(delayMs: number): Promise<void>;
}

const deadTimer: Timer = { cancel() {} };

/**
 * Clock and timers of one machine. What waits for a timer of it, or is handed to it with {@link MachineTime.deliver},
 * is gone once {@link MachineTime.kill} was called.
 */
export class MachineTime implements ProcessTime {
  readonly #time: VirtualTime;
  /** Where the clock was when its rate was set, and at what time of the simulation that was. */
  #anchor: { readonly localMs: number; readonly globalMs: number };
  #rate: number;
  #wallAheadMs: number;
  /** Counts the lives: tasks of earlier ones are not run. */
  #life = 0;
  /** What came in the pause; undefined while there is none. */
  #held: Task[] | undefined;

  constructor(time: VirtualTime, clock: MachineClock = {}) {
    this.#time = time;
    this.#anchor = { localMs: clock.startMs ?? 0, globalMs: time.monotonicMs() };
    this.#rate = clock.rate ?? 1;
    this.#wallAheadMs = clock.wallAheadMs ?? 0;
  }

  /** Always: see {@link MachineTime.process}. */
  readonly isAlive: boolean = true;

  /**
   * Time for a process that is started now. What is under way in a process does not stop where it stands when it is killed,
   * but only where it next waits; with this it cannot go on in the life of the next one.
   */
  process(): ProcessTime {
    const life = this.#life;
    const isAlive = (): boolean => life === this.#life;
    return {
      get isAlive() {
        return isAlive();
      },
      monotonicMs: () => this.monotonicMs(),
      wallMs: () => this.wallMs(),
      after: (delayMs, task) => (isAlive() ? this.after(delayMs, task) : deadTimer),
      atTurnEnd: (task) => {
        if (isAlive()) this.atTurnEnd(task);
      },
      bind: (task, late) => (isAlive() ? this.bind(task, late) : () => {}),
      deliver: (task) => {
        if (isAlive()) this.deliver(task);
      },
      sleep: (delayMs) => (isAlive() ? this.sleep(delayMs) : new Promise<void>(() => {})),
    };
  }

  monotonicMs(): number {
    return this.#anchor.localMs + (this.#time.monotonicMs() - this.#anchor.globalMs) * this.#rate;
  }

  wallMs(): number {
    return Math.floor(this.#time.wallMs() + this.#wallAheadMs);
  }

  after(delayMs: number, task: Task): Timer {
    const dueMs = this.monotonicMs() + delayMs;
    let timer: Timer | undefined;
    const arm = (leftMs: number): void => {
      timer = this.#time.after(leftMs / this.#rate, fire);
    };
    const fire = this.bind(() => {
      timer = undefined;
      // The clock may have been slowed meanwhile. A timer is never early, but for what rounding takes.
      const leftMs = dueMs - this.monotonicMs();
      if (leftMs > 0.001) arm(leftMs);
      else if (!isCancelled) task();
    });
    let isCancelled = false;
    arm(delayMs);
    return {
      cancel: () => {
        isCancelled = true;
        timer?.cancel();
      },
    };
  }

  atTurnEnd(task: Task): void {
    // Of a turn in which the machine was stopped the rest follows, and only then is it over.
    this.#time.atTurnEnd(this.bind(task, () => this.atTurnEnd(task)));
  }

  /** Whether the machine's processes are stopped. */
  get isPaused(): boolean {
    return this.#held !== undefined;
  }

  /**
   * A task as the machine may run it when it happens: only in this life, and not in a pause.
   *
   * @param late - what to do when the pause is over, if there is one; default: the task
   */
  bind(task: Task, late: Task = task): Task {
    const life = this.#life;
    return () => {
      if (life !== this.#life) return;
      if (this.#held === undefined) task();
      else this.#held.push(this.bind(late));
    };
  }

  /** Runs a task now; after the pause if there is one. */
  deliver(task: Task): void {
    this.bind(task)();
  }

  /** Waits until the machine's clock shows so much more. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.after(delayMs, resolve));
  }

  /** Stops everything on the machine, as SIGSTOP does. Clocks go on. */
  pause(): void {
    this.#held ??= [];
  }

  /** Ends the pause: what was due, and what came in, happens late and in one turn. */
  resume(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.#time.after(0, () => {
      for (const task of held) task();
    });
  }

  /** Ends everything that runs on the machine and waits; what is started afterwards is not concerned. */
  kill(): void {
    this.#life++;
    this.#held = undefined;
  }

  /**
   * Lets the clock run faster or slower from now on.
   *
   * @param rate - seconds that it counts in a second, above 0
   */
  drift(rate: number): void {
    invariant(rate > 0, "a monotonic clock goes forward", rate);
    this.#anchor = { localMs: this.monotonicMs(), globalMs: this.#time.monotonicMs() };
    this.#rate = rate;
  }

  /** Sets the wall clock by so many milliseconds, forward or back. The monotonic clock is not concerned. */
  jumpWall(byMs: number): void {
    this.#wallAheadMs += byMs;
  }
}
