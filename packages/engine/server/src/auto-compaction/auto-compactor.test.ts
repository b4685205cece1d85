import { WireError } from "@conclave/protocol";
import { virtualTime } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { silentLog } from "../log.ts";
import { AutoCompactor } from "./auto-compactor.ts";
import type { Retention } from "./retention.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** A leader whose store gets one revision a minute; its compactions, as `minute: revision`. */
function lab(retention: Retention) {
  const time = virtualTime(1);
  const state = { isLeader: true, frozenAt: undefined as number | undefined, failure: undefined as Error | undefined };
  const compactions: string[] = [];
  const minutes = (): number => Math.floor(time.monotonicMs() / minuteMs);
  const compactor = new AutoCompactor(retention, {
    clock: time,
    scheduler: time,
    isLeader: () => state.isLeader,
    revision: () => state.frozenAt ?? 1 + minutes(),
    compact: async (revision) => {
      compactions.push(`${minutes()}: ${revision}`);
      if (state.failure !== undefined) throw state.failure;
    },
    log: silentLog,
  });
  const timer = compactor.start();
  return { time, state, compactions, timer };
}

describe("mode periodic", () => {
  test("with a period of an hour or less compacts once a period, at the revision of one period ago", async () => {
    const { time, compactions } = lab({ mode: "periodic", periodMs: 10 * minuteMs });
    await time.advance(30 * minuteMs);
    expect(compactions).toEqual(["10: 1", "20: 10", "30: 20"]);
  });

  test("with a longer one waits for it first, then compacts every hour", async () => {
    const { time, compactions } = lab({ mode: "periodic", periodMs: 3 * hourMs });
    await time.advance(5 * hourMs);
    expect(compactions).toEqual(["180: 1", "240: 55", "300: 115"]);
  });

  test("does nothing before the period is over", async () => {
    const { time, compactions } = lab({ mode: "periodic", periodMs: hourMs });
    await time.advance(hourMs - 1);
    expect(compactions).toEqual([]);
  });

  test("does not compact twice at the same revision", async () => {
    const { time, state, compactions } = lab({ mode: "periodic", periodMs: 10 * minuteMs });
    state.frozenAt = 1;
    await time.advance(hourMs);
    expect(compactions).toEqual(["10: 1"]);
  });

  test("rests while another member leads, and takes over with what it has noted meanwhile", async () => {
    const { time, state, compactions } = lab({ mode: "periodic", periodMs: 10 * minuteMs });
    state.isLeader = false;
    await time.advance(35 * minuteMs);
    expect(compactions).toEqual([]);
    state.isLeader = true;
    await time.advance(minuteMs);
    expect(compactions).toEqual(["36: 26"]);
  });

  test("tries again at the next look after a failure", async () => {
    const { time, state, compactions } = lab({ mode: "periodic", periodMs: 10 * minuteMs });
    state.failure = new WireError("Timeout");
    await time.advance(11 * minuteMs);
    state.failure = undefined;
    await time.advance(9 * minuteMs);
    expect(compactions).toEqual(["10: 1", "11: 1", "12: 2"]);
  });

  test("takes a history that somebody else has compacted further for compacted", async () => {
    const { time, state, compactions } = lab({ mode: "periodic", periodMs: 10 * minuteMs });
    state.failure = new WireError("Compacted");
    await time.advance(19 * minuteMs);
    expect(compactions).toEqual(["10: 1"]);
  });

  test("ends when it is cancelled", async () => {
    const { time, compactions, timer } = lab({ mode: "periodic", periodMs: 10 * minuteMs });
    timer.cancel();
    await time.advance(hourMs);
    expect(compactions).toEqual([]);
  });
});

describe("mode revision", () => {
  test("keeps a number of revisions and looks every five minutes", async () => {
    const { time, compactions } = lab({ mode: "revision", revisions: 8 });
    await time.advance(20 * minuteMs);
    expect(compactions).toEqual(["10: 3", "15: 8", "20: 13"]);
  });

  test("does not compact twice at the same revision, and rests while another member leads", async () => {
    const { time, state, compactions } = lab({ mode: "revision", revisions: 8 });
    state.frozenAt = 20;
    await time.advance(20 * minuteMs);
    state.isLeader = false;
    state.frozenAt = 40;
    await time.advance(20 * minuteMs);
    expect(compactions).toEqual(["5: 12"]);
  });
});
