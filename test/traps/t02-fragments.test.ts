import { allKeys } from "@conclave/client";
import { modelCluster } from "@conclave/client/testing/model-client";
import { describe, expect, test } from "vitest";
import { NaiveWatcher } from "./naive/watcher.ts";
import { collect, inWords } from "./told.ts";

/** One transaction on four keys, told in two fragments; the stream breaks between them. */
function scene() {
  let frames = 0;
  const cluster = modelCluster({ fragmentEvents: 2, onFrame: () => (frames++ === 2 ? "cut" : "send") });
  cluster.store.commit(["a", "b", "c", "d"].map((key) => ({ key, value: "1" })));
  return { ...cluster, history: cluster.store.history.flatMap(({ events }) => events.map(inWords)) };
}

describe("T2: fragments split a revision", () => {
  test("a revision is told whole and once, though the stream breaks within it", async () => {
    const { client, time, history } = scene();
    const { told, batches } = collect(client.watch(allKeys(), { from: 1 }));
    await time.advance(5_000);
    expect(told).toEqual(history);
    expect(batches).toHaveLength(1);
  });

  test("a cursor that moves with each fragment loses the rest of the transaction", async () => {
    const { network, time, history } = scene();
    const told: string[] = [];
    new NaiveWatcher(network, time, { from: 1, cursor: "event", onEvent: (event) => told.push(inWords(event)) });
    await time.advance(5_000);
    expect(told).toEqual(history.slice(0, 2));
  });
});
