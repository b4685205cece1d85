/** @module Taking a lock again inside of a task that runs under it already. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Acquirable } from "./acquirable.ts";
import type { HeldLock, Holding } from "./held-lock.ts";

/** A lock that a task holds, perhaps several times. */
class CountedHolding {
  readonly #holding: Holding;
  #count = 0;

  constructor(holding: Holding) {
    this.#holding = holding;
  }

  /**
   * Holds it once more.
   *
   * @throws ConclaveError `SESSION_LOST` if it is lost: who is inside of it must not go on as if it had just begun
   */
  enter(): HeldLock {
    this.#holding.assertHeld();
    this.#count++;
    let release: Promise<void> | undefined;
    return this.#holding.share((options) => {
      release ??= --this.#count === 0 ? this.#holding.release(options) : Promise.resolve();
      return release;
    });
  }

  /** Whether it has been given back as often as it was taken. */
  get isOver(): boolean {
    return this.#count === 0;
  }
}

/**
 * Lets a task that runs under a lock take it again: what it takes is the same ownership, which is given up when it has been
 * released as often as it was taken. A task is what {@link Acquirable.run} has called and all that came of it.
 */
export function reentrant(outermost: Acquirable<Holding>): Acquirable<HeldLock> {
  const context = new AsyncLocalStorage<CountedHolding>();
  const enter = (): HeldLock | undefined => {
    const holding = context.getStore();
    // Something that the task has left behind may run on when the lock was released long ago.
    return holding === undefined || holding.isOver ? undefined : holding.enter();
  };
  return {
    acquire: async (options) => enter() ?? (await outermost.acquire(options)),
    tryAcquire: async (options) => enter() ?? (await outermost.tryAcquire(options)),
    async run(task, options) {
      const inner = enter();
      if (inner !== undefined) {
        await using held = inner;
        return await task(held);
      }
      const counted = new CountedHolding(await outermost.acquire(options));
      await using held = counted.enter();
      return await context.run(counted, () => task(held));
    },
  };
}
