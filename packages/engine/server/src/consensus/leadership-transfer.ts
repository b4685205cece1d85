/** @module Leadership is handed on: to a member that was named, or to the best one there is. */
import type { Scheduler } from "@conclave/base";
import { WireError } from "@conclave/protocol";
import type { Leadership } from "./leadership.ts";
import type { RaftLoop } from "./raft-loop.ts";

/** What a transfer works on. */
export interface LeadershipTransferPorts {
  readonly leadership: Leadership;
  readonly raft: Pick<RaftLoop, "transferLeadership">;
  readonly scheduler: Scheduler;
}

/**
 * Hands leadership over to another member, from wherever this one stands.
 *
 * @param timeoutMs - after how long to give up
 * @returns when this member knows the other one as leader
 * @throws WireError `Timeout`, or `BadLeaderTransferee` for one that cannot lead
 */
export async function transferLeadership(
  to: bigint,
  { leadership, raft, scheduler }: LeadershipTransferPorts,
  timeoutMs: number,
): Promise<void> {
  const result = raft.transferLeadership(to);
  if (result.kind === "dropped" && result.reason !== "noLeader") throw new WireError("BadLeaderTransferee");
  await new Promise<void>((resolve, reject) => {
    const end = (): void => {
      stopListening();
      timer.cancel();
    };
    const stopListening = leadership.onChange((leader) => {
      if (leader !== to) return;
      end();
      resolve();
    });
    const timer = scheduler.after(timeoutMs, () => {
      end();
      reject(new WireError("Timeout"));
    });
  });
}

/** Those who may lead next, and since when each has been connected, in monotonic ms; undefined while one is not. */
export interface Heirs {
  readonly self: bigint;
  readonly voters: readonly bigint[];
  readonly activeSince: (id: bigint) => number | undefined;
}

/** Who is to lead after this member: the voter that has been connected for longest; undefined if there is none. */
export function chooseHeir({ self, voters, activeSince }: Heirs): bigint | undefined {
  let [heir, sinceMs] = [undefined as bigint | undefined, Number.POSITIVE_INFINITY];
  for (const id of voters) {
    const activeSinceMs = id === self ? undefined : activeSince(id);
    if (activeSinceMs !== undefined && activeSinceMs < sinceMs) [heir, sinceMs] = [id, activeSinceMs];
  }
  return heir;
}
