/** @module Endpoints that follow the members of the cluster. */
import type { CallOptions } from "../calls/call-scope.ts";
import type { CallPorts } from "../calls/unary-run.ts";
import { ConclaveError, isConclaveError } from "../conclave-error.ts";
import type { Cluster } from "./cluster.ts";

/**
 * Asks for the members and takes those with client URLs, learners aside, for the endpoints.
 *
 * @throws ConclaveError `UNAVAILABLE` if no member says where it serves clients; the endpoints stay as they are
 */
export async function syncEndpoints(
  { pool }: CallPorts,
  cluster: Cluster,
  options?: CallOptions,
): Promise<readonly string[]> {
  const { members } = await cluster.memberList(options);
  const endpoints = members.filter(({ isLearner }) => !isLearner).flatMap(({ clientUrls }) => clientUrls);
  if (endpoints.length === 0)
    throw new ConclaveError("UNAVAILABLE", `None of ${members.length} members says where it serves clients`);
  pool.replace([...new Set(endpoints)]);
  return pool.all;
}

/** Does so again and again, in the background. @returns ends it */
export function syncRegularly(
  { scheduler, onStatus }: CallPorts,
  sync: () => Promise<unknown>,
  everyMs: number,
): () => void {
  if (everyMs === Number.POSITIVE_INFINITY) return () => {};
  const stopped = new AbortController();
  const schedule = () => scheduler.after(everyMs, () => void run(), { background: true });
  const run = async () => {
    try {
      await sync();
    } catch (error) {
      if (!isConclaveError(error)) throw error;
      onStatus({ type: "syncFailed", error });
    }
    if (!stopped.signal.aborted) timer = schedule();
  };
  let timer = schedule();
  return () => {
    stopped.abort();
    timer.cancel();
  };
}
