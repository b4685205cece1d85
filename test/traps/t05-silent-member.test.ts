import { allKeys } from "@conclave/client";
import { modelCluster } from "@conclave/client/testing/model-client";
import { virtualTime } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { NaiveWatcher } from "./naive/watcher.ts";
import { collect, inWords } from "./told.ts";

const seeds = [1, 2, 3, 4, 5, 6];

/** Two members, of which the first takes everything and says nothing, as one does that is cut off from the others. */
function scene(seed: number) {
  const cluster = modelCluster({ members: 2, time: virtualTime(seed), client: { stallMs: 1_000 } });
  cluster.network.reachability.set("m1:1", "silent");
  cluster.store.commit([{ key: "k", value: "1" }]);
  return cluster;
}

describe("T5: a member keeps its streams open and says nothing", () => {
  test("a watch leaves it for another, whichever it asked first", async () => {
    const asked = new Set<string>();
    for (const seed of seeds) {
      const { client, time, network } = scene(seed);
      const watcher = client.watch(allKeys(), { from: 1 });
      const { told } = collect(watcher);
      await time.advance(60_000);
      expect(told).toEqual(["2: put k=1"]);
      const [first] = network.streams;
      asked.add(first?.endpoint ?? "");
      // And a member that knows it has no leader says so by itself.
      expect(first?.metadata.hasleader).toBe("true");
      watcher.close();
    }
    expect(asked).toContain("m1:1");
  });

  test("a watch that trusts its stream hears nothing for ever", async () => {
    const { network, time } = scene(1);
    const told: string[] = [];
    new NaiveWatcher(network, time, { from: 1, cursor: "event", onEvent: (event) => told.push(inWords(event)) });
    await time.advance(3_600_000);
    expect(told).toEqual([]);
  });
});
