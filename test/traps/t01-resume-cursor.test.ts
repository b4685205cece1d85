import { allKeys } from "@conclave/client";
import { modelCluster } from "@conclave/client/testing/model-client";
import { describe, expect, test } from "vitest";
import { NaiveWatcher } from "./naive/watcher.ts";
import { collect, inWords } from "./told.ts";

/** A history of 12 revisions that is told three revisions a frame; the stream breaks before the nth frame. */
function scene(cutAt: number) {
  let frames = 0;
  const cluster = modelCluster({ batchRevisions: 3, onFrame: () => (frames++ === cutAt ? "cut" : "send") });
  for (let n = 0; n < 12; n++) cluster.store.commit([{ key: "k", value: `${n}` }]);
  return { ...cluster, history: cluster.store.history.flatMap(({ events }) => events.map(inWords)) };
}

describe("T1: the header of a response says what the store has reached, not what was told", () => {
  test("a cut before any frame of the catch-up loses and repeats nothing", async () => {
    for (let cutAt = 0; cutAt < 6; cutAt++) {
      const { client, time, history } = scene(cutAt);
      const { told } = collect(client.watch(allKeys(), { from: 1 }));
      await time.advance(10_000);
      expect(told).toEqual(history);
    }
  });

  test("a cursor taken from headers leaves a gap after a cut", async () => {
    const { network, time, history } = scene(2);
    const told: string[] = [];
    new NaiveWatcher(network, time, { from: 1, cursor: "header", onEvent: (event) => told.push(inWords(event)) });
    await time.advance(10_000);
    expect(told.length).toBeLessThan(history.length);
  });
});
