/** @module Waiting out what passes: those who read or work for ever do not end with an outage. */
import { type ClientView, fullJitterMs, isConclaveError, sleep } from "@conclave/client";

const backoff = { firstMs: 100, maxMs: 5_000 };

/** Whether the same call may succeed a moment later. */
export function passes(error: unknown): boolean {
  return isConclaveError(error) && (error.retryable || error.code === "OUTCOME_UNKNOWN");
}

/**
 * Tries until it succeeds or fails for good. Only for what may be done twice.
 *
 * @throws what it throws that does not pass by itself, or its last error once the signal aborts
 */
export async function waitOut<T>({ ports }: ClientView, attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (!passes(error)) throw error;
      if (!(await sleep(ports.scheduler, fullJitterMs(ports.random, backoff, failures), signal))) throw error;
    }
  }
}
