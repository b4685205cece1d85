import { WireError } from "@conclave/protocol";
import type { Wait } from "./proposals.ts";

/** What is known of the way a request had to take. */
export interface RequestRoute {
  /** This member. */
  readonly self: bigint;
  /** Id of the leader; 0n if none is known. */
  readonly leader: bigint;
  /** When the leader became known; monotonic ms. */
  readonly electedMs: number;
  /** Time without a leader before an election. */
  readonly electionTimeoutMs: number;
  /** The members that vote. */
  readonly voters: readonly bigint[];
  /** Since when a member has been connected (monotonic ms); undefined while it is not. */
  activeSince(id: bigint): number | undefined;
}

/** Why a request got no answer in time, as far as this member can tell; the same distinctions as etcd's. */
export function timeoutError(wait: Wait, route: RequestRoute): WireError {
  const { leader, self, electedMs, electionTimeoutMs } = route;
  const lastLeaderLostMs = electedMs - 2 * electionTimeoutMs;
  if (wait.startMs > lastLeaderLostMs && wait.startMs < electedMs) return new WireError("TimeoutDueToLeaderFail");
  if (leader === 0n) return new WireError("Timeout");
  const wasReached = leader === self ? isQuorumConnected(wait, route) : isConnected(leader, wait, route);
  return new WireError(wasReached ? "Timeout" : "TimeoutDueToConnectionLost");
}

function isConnected(id: bigint, { startMs }: Wait, { activeSince }: RequestRoute): boolean {
  const sinceMs = activeSince(id);
  return sinceMs !== undefined && sinceMs < startMs;
}

function isQuorumConnected(wait: Wait, route: RequestRoute): boolean {
  const connected = route.voters.filter((id) => id === route.self || isConnected(id, wait, route));
  return connected.length > route.voters.length / 2;
}
