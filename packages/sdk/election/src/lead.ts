/**
 * @module Leading as a scoped task: stand, run the task while leading, let it end, hand over, and stand again. Runs of
 * the task never overlap in one process, however slowly one ends.
 */
import { type ConclaveError, type ConclaveErrorCode, fullJitterMs, isConclaveError, sleep } from "@conclave/client";
import type { LeadParts } from "./leader-term.ts";
import type { HeldLeadership } from "./leadership.ts";
import { Reign } from "./reign.ts";

const backoff = { firstMs: 500, maxMs: 10_000 };
/** What a candidacy may end with though nothing is wrong with the candidate. */
const losses: ReadonlySet<ConclaveErrorCode> = new Set(["SESSION_LOST", "OWNERSHIP_LOST", "LEASE_NOT_FOUND"]);

/** Leads again and again until the task ends by itself or the signal aborts. */
export async function leadAgain(parts: LeadParts): Promise<void> {
  const { client, options } = parts;
  const { signal = new AbortController().signal } = options;
  let { resume } = options;
  while (!signal.aborted) {
    const leadership = await standUntilElected(parts, signal, resume);
    if (leadership === undefined) return;
    resume = undefined;
    if (await new Reign(parts, leadership, signal).run()) return;
    // Candidates that lost together, such as by an outage, do not come back together.
    await sleep(client.ports.scheduler, fullJitterMs(client.ports.random, backoff, 1), signal);
  }
}

/** Stands until elected, after each failure again; undefined if the caller gave up. */
async function standUntilElected(
  { client, campaign, reports }: LeadParts,
  signal: AbortSignal,
  resume: bigint | undefined,
): Promise<HeldLeadership | undefined> {
  for (let failures = 1; ; failures++) {
    try {
      return await campaign({ resume });
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!mayBeElectedYet(error)) throw error;
      reports.campaignFailed(error);
    }
    if (!(await sleep(client.ports.scheduler, fullJitterMs(client.ports.random, backoff, failures), signal)))
      return undefined;
  }
}

function mayBeElectedYet(error: unknown): error is ConclaveError {
  return isConclaveError(error) && (error.retryable || error.maybeApplied || losses.has(error.code));
}
