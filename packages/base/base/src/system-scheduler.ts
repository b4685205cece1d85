import type { Scheduler } from "./ports.ts";

/** A longer delay makes Node's timers fire at once, in milliseconds. */
export const timerMsMax: number = 2 ** 31 - 1;

/**
 * Node's timers, which may be as long as one likes. The end of a turn comes after its sockets have been read (the check
 * phase of the event loop). For composition roots: whatever is below takes its scheduler from them.
 */
export const systemScheduler: Scheduler = {
  after(delayMs, task, options) {
    const dueMs = performance.now() + delayMs;
    let timeout: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      timeout =
        leftMs > timerMsMax
          ? setTimeout(() => arm(dueMs - performance.now()), timerMsMax)
          : setTimeout(task, Math.max(leftMs, 0));
      if (options?.background) timeout.unref();
    };
    arm(delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
  atTurnEnd(task) {
    setImmediate(task);
  },
};
