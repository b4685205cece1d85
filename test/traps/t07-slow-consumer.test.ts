import { allKeys } from "@conclave/client";
import { modelCluster } from "@conclave/client/testing/model-client";
import { describe, expect, test } from "vitest";
import { NaiveWatcher } from "./naive/watcher.ts";

const count = 500;
const bound = 32;

function scene() {
  const cluster = modelCluster();
  for (let n = 0; n < count; n++) cluster.store.commit([{ key: `k${n}`, value: "1" }]);
  return cluster;
}

describe("T7: a consumer that is slower than the store", () => {
  test.each(["backpressure", "coalesce", "fail"] as const)("has no more wait than the bound: %s", async (overflow) => {
    const { client, time } = scene();
    const watcher = client.watch(allKeys(), { from: 1, bufferEvents: bound, overflow });
    await time.advance(10_000);
    // One response of several revisions may go over it.
    expect(watcher.bufferedEvents).toBeLessThanOrEqual(bound + 3);
    let taken = 0;
    watcher.on("batch", ({ events }) => {
      taken += events.length;
    });
    await time.advance(60_000);
    if (overflow === "fail") expect(await watcher.ended).toMatchObject({ code: "SLOW_CONSUMER" });
    else expect(taken).toBe(count);
    watcher.close();
  });

  test("who only appends has everything wait", async () => {
    const { network, time } = scene();
    const waiting: unknown[] = [];
    new NaiveWatcher(network, time, { from: 1, cursor: "event", onEvent: (event) => waiting.push(event) });
    await time.advance(60_000);
    expect(waiting).toHaveLength(count);
  });
});
