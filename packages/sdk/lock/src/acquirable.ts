/** @module The three ways to take what can be held: wait for it, try it, or run a task under it. */
import { isConclaveError } from "@conclave/client";
import * as z from "zod";
import { check } from "./check.ts";

/** How long to wait. */
export interface AcquireOptions {
  /** Longest wait in milliseconds; default: no limit. */
  readonly waitMs?: number | undefined;
  /** Ends the wait: the call rejects with `ABORTED`. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/** Something that can be held, for a while. */
export interface Acquirable<Held extends AsyncDisposable> {
  /**
   * Waits until it is this caller's. Every call contends for itself: two tasks of one process exclude each other.
   *
   * @throws ConclaveError `TIMEOUT`, `ABORTED`, or `SESSION_LOST` if the caller's own lease ran out while it waited
   */
  acquire(options?: AcquireOptions): Promise<Held>;
  /**
   * Takes it if that needs no waiting; otherwise resolves with undefined at once.
   *
   * @throws ConclaveError `TIMEOUT` or `UNAVAILABLE` if the cluster does not answer, `ABORTED`
   */
  tryAcquire(options?: Pick<AcquireOptions, "signal">): Promise<Held | undefined>;
  /**
   * Runs a task while holding it and gives it back whatever happens.
   *
   * @throws what the task throws, or what {@link Acquirable.acquire} does
   */
  run<Result>(task: (held: Held) => Promise<Result>, options?: AcquireOptions): Promise<Result>;
}

/** Takes something; with `waitMs` 0 it rejects with `TIMEOUT` rather than wait. */
export type Take<Held> = (options: AcquireOptions) => Promise<Held>;

const acquireSchema = z.strictObject({
  waitMs: z.number().min(1).optional(),
  signal: z.instanceof(AbortSignal).optional(),
});

/** Makes the three ways out of one. */
export function createAcquirable<Held extends AsyncDisposable>(take: Take<Held>): Acquirable<Held> {
  const acquire = async (options: AcquireOptions = {}): Promise<Held> =>
    await take(check(acquireSchema, options, "options of acquire"));
  return {
    acquire,
    async tryAcquire({ signal } = {}) {
      check(acquireSchema, { signal }, "options of tryAcquire");
      try {
        return await take({ waitMs: 0, signal });
      } catch (error) {
        // An answer that does not come in time says nothing about who has it.
        if (isConclaveError(error, "TIMEOUT") && error.details.isTaken === true) return undefined;
        throw error;
      }
    },
    async run(task, options) {
      await using held = await acquire(options);
      return await task(held);
    },
  };
}
