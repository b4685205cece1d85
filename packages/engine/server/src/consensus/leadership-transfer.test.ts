import { WireError } from "@conclave/protocol";
import { describe, expect, test } from "vitest";
import { Leadership } from "./leadership.ts";
import { chooseHeir, transferLeadership } from "./leadership-transfer.ts";
import type { RaftLoop } from "./raft-loop.ts";

type StepResult = ReturnType<RaftLoop["transferLeadership"]>;

/** A transfer whose timer runs off when the test says so. */
function beginTransfer(answer: StepResult = { kind: "taken" }) {
  const leadership = new Leadership({ monotonicMs: () => 0, wallMs: () => 0 });
  let runOff = (): void => {};
  let timers = 0;
  const done = transferLeadership(
    2n,
    {
      leadership,
      raft: { transferLeadership: () => answer },
      scheduler: {
        atTurnEnd: () => {},
        after: (_delayMs, task) => {
          runOff = task;
          timers += 1;
          return {
            cancel() {
              timers -= 1;
            },
          };
        },
      },
    },
    500,
  );
  return { leadership, done, runOff: () => runOff(), timers: () => timers };
}

describe("leadership is handed over", () => {
  test("once the named member is known to lead; another leader is none", async () => {
    const { leadership, done, timers } = beginTransfer();
    leadership.update(3n);
    expect(timers()).toBe(1);
    leadership.update(2n);
    await done;
    expect(timers()).toBe(0);
  });

  test("also when no leader is known yet who could be asked", async () => {
    const { leadership, done } = beginTransfer({ kind: "dropped", reason: "noLeader" });
    leadership.update(2n);
    await expect(done).resolves.toBeUndefined();
  });

  test("not to one that cannot lead", async () => {
    const { done } = beginTransfer({ kind: "dropped", reason: "refused" });
    await expect(done).rejects.toEqual(new WireError("BadLeaderTransferee"));
  });

  test("not after its time", async () => {
    const { leadership, done, runOff } = beginTransfer();
    runOff();
    leadership.update(2n);
    await expect(done).rejects.toEqual(new WireError("Timeout"));
  });
});

describe("the heir of a leader", () => {
  const since = new Map([
    [2n, 20],
    [3n, 10],
    [9n, 1],
  ]);
  const choose = (voters: readonly bigint[]) => chooseHeir({ self: 9n, voters, activeSince: (id) => since.get(id) });

  test("is the voter that has been connected for longest, never the leader itself", () => {
    expect(choose([2n, 3n, 9n])).toBe(3n);
  });

  test("is nobody where no other voter is connected", () => {
    expect(choose([4n, 9n])).toBeUndefined();
    expect(choose([9n])).toBeUndefined();
  });
});
