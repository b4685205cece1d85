import type { Scheduler } from "@conclave/base";
import { describe, expect, test } from "vitest";
import { ReadBarrier } from "./read-barrier.ts";

/** A scheduler whose turns end when the test says so. */
function manualTurns(): Scheduler & { endTurn(): void } {
  let tasks: (() => void)[] = [];
  return {
    after: () => ({ cancel: () => {} }),
    atTurnEnd: (task) => tasks.push(task),
    endTurn() {
      const due = tasks;
      tasks = [];
      for (const task of due) task();
    },
  };
}

function setUp(applied = 0) {
  const scheduler = manualTurns();
  const asked: Uint8Array[] = [];
  let requests = 0n;
  const barrier = new ReadBarrier(
    {
      scheduler,
      requestReadIndex: (context) => asked.push(context),
      newRequestId: () => {
        requests += 1n;
        return requests;
      },
    },
    applied,
  );
  const read = (deadlineMs = 1000) => {
    const state = { outcome: "waiting" };
    barrier.wait(deadlineMs).then(
      () => {
        state.outcome = "released";
      },
      (error: Error) => {
        state.outcome = error.message;
      },
    );
    return state;
  };
  const answer = (index: number, round = asked.length) => barrier.onReadState(asked[round - 1] as Uint8Array, index);
  return { scheduler, asked, barrier, read, answer, settled: () => new Promise((resolve) => setImmediate(resolve)) };
}

describe("ReadBarrier", () => {
  test("asks once for all readers of a turn and releases them when the index is applied", async () => {
    const { scheduler, asked, barrier, read, answer, settled } = setUp();
    const readers = [read(), read(), read()];
    expect(asked).toHaveLength(0);
    scheduler.endTurn();
    expect(asked).toHaveLength(1);
    answer(7);
    await settled();
    expect(readers.map((reader) => reader.outcome)).toEqual(["waiting", "waiting", "waiting"]);
    barrier.onApplied(7);
    await settled();
    expect(readers.map((reader) => reader.outcome)).toEqual(["released", "released", "released"]);
  });

  test("lets a reader that came after the question was asked wait for the next round", async () => {
    const { scheduler, asked, read, answer, settled } = setUp(5);
    const early = read();
    scheduler.endTurn();
    const late = read();
    scheduler.endTurn();
    expect(asked).toHaveLength(1);
    answer(5);
    await settled();
    expect([early.outcome, late.outcome]).toEqual(["released", "waiting"]);
    scheduler.endTurn();
    answer(5);
    await settled();
    expect(late.outcome).toBe("released");
  });

  test("takes no answer to a question of another round", async () => {
    const { scheduler, barrier, read, asked, answer, settled } = setUp(5);
    const first = read(10);
    scheduler.endTurn();
    barrier.expire(10);
    const second = read();
    scheduler.endTurn();
    expect(asked).toHaveLength(2);
    answer(5, 1);
    await settled();
    expect([first.outcome, second.outcome]).toEqual(["etcdserver: request timed out", "waiting"]);
  });

  test("gives up at the deadline while raft has no answer, and asks again for those that still wait", async () => {
    const { scheduler, barrier, asked, read, answer, settled } = setUp();
    const patient = read(1000);
    const hasty = read(10);
    scheduler.endTurn();
    barrier.expire(10);
    await settled();
    expect([patient.outcome, hasty.outcome]).toEqual(["waiting", "etcdserver: request timed out"]);
    expect(asked).toHaveLength(1);
    answer(0);
    await settled();
    expect(patient.outcome).toBe("released");
  });

  test("ends every wait when the member stops", async () => {
    const { scheduler, barrier, read, settled } = setUp();
    const asked = read();
    scheduler.endTurn();
    const gathering = read();
    barrier.abandon(new Error("stopped"));
    await settled();
    expect([asked.outcome, gathering.outcome]).toEqual(["stopped", "stopped"]);
  });

  test("asks again under the same name, and takes the answer to either question", async () => {
    const { scheduler, asked, barrier, read, answer, settled } = setUp(5);
    const reader = read();
    barrier.askAgain();
    expect(asked).toHaveLength(0);
    scheduler.endTurn();
    barrier.askAgain();
    expect(asked).toHaveLength(2);
    expect(asked[1]).toEqual(asked[0]);
    answer(5, 1);
    answer(5, 2);
    await settled();
    expect(reader.outcome).toBe("released");
  });

  test("ends what a former leader was asked for, and asks the new one for those who came later", async () => {
    const { scheduler, asked, barrier, read, answer, settled } = setUp(5);
    const early = read();
    scheduler.endTurn();
    const late = read();
    barrier.onLeaderChange();
    scheduler.endTurn();
    await settled();
    expect(early.outcome).toBe("etcdserver: leader changed");
    answer(5, 1);
    await settled();
    expect([late.outcome, asked.length]).toEqual(["waiting", 2]);
    answer(5, 2);
    await settled();
    expect(late.outcome).toBe("released");
  });
});
