import { prefix } from "@conclave/client";
import { modelCluster } from "@conclave/client/testing/model-client";
import { describe, expect, test } from "vitest";
import { NaiveWatcher } from "./naive/watcher.ts";
import { inWords } from "./told.ts";

/** The history is compacted past what the watch was told while its stream is down. */
async function missACompaction({ store, network, time }: ReturnType<typeof modelCluster>): Promise<void> {
  store.commit([{ key: "k/gone", value: "1" }]);
  await time.advance(1_000);
  network.reachability.set("m1:1", "refuses");
  for (const stream of network.streams) stream.end();
  store.commit([{ key: "k/gone", value: undefined }]);
  store.commit([{ key: "k/new", value: "2" }]);
  store.compactRevision = store.revision;
  network.reachability.set("m1:1", "up");
  await time.advance(30_000);
}

describe("T3: a compaction passes the cursor", () => {
  test("the view of the consumer is that of the store, deletions nobody saw included", async () => {
    const cluster = modelCluster();
    const view = new Map<string, string>();
    const watcher = cluster.client.watch(prefix("k/"), { from: "snapshot" });
    watcher.on("put", ({ kv }) => view.set(kv.keyString, kv.valueString));
    watcher.on("delete", ({ kv }) => view.delete(kv.keyString));
    await missACompaction(cluster);
    expect(Object.fromEntries(view)).toEqual({ "k/new": "2" });
    watcher.close();
  });

  test("a watch that knows only its stream ends with an old view", async () => {
    const cluster = modelCluster();
    const told: string[] = [];
    const onEvent = (event: Parameters<typeof inWords>[0]) => told.push(inWords(event));
    const naive = new NaiveWatcher(cluster.network, cluster.time, { from: 1, cursor: "event", onEvent });
    await missACompaction(cluster);
    expect(told).toEqual(["2: put k/gone=1"]);
    expect(naive.ended).toBe(true);
  });
});
