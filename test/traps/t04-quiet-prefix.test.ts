import { prefix } from "@conclave/client";
import { modelCluster } from "@conclave/client/testing/model-client";
import { describe, expect, test } from "vitest";
import { naivePrefix } from "./naive/prefix.ts";
import { NaiveWatcher } from "./naive/watcher.ts";
import { collect, inWords } from "./told.ts";

/** Much happens elsewhere, the history is compacted, the stream breaks; then something happens here. */
async function ageTheCursor({ store, network, time }: ReturnType<typeof modelCluster>): Promise<void> {
  await time.advance(1_000);
  for (let n = 0; n < 50; n++) store.commit([{ key: "busy", value: `${n}` }]);
  await time.advance(60_000);
  store.compactRevision = store.revision;
  for (const stream of network.streams) stream.end();
  store.commit([{ key: "quiet/k", value: "1" }]);
  await time.advance(30_000);
}

describe("T4: a quiet prefix ages", () => {
  test("progress moves the cursor, so that a compaction of what did not concern the watch costs nothing", async () => {
    const cluster = modelCluster();
    const watcher = cluster.client.watch(prefix("quiet/"), { from: 1 });
    const { told } = collect(watcher);
    await ageTheCursor(cluster);
    expect(told).toEqual(["52: put quiet/k=1"]);
    watcher.close();
  });

  test("a cursor that moves with events only is lost to the compaction", async () => {
    const cluster = modelCluster();
    const told: string[] = [];
    const onEvent = (event: Parameters<typeof inWords>[0]) => told.push(inWords(event));
    const range = naivePrefix("quiet/");
    const naive = new NaiveWatcher(cluster.network, cluster.time, { from: 1, cursor: "event", onEvent, ...range });
    await ageTheCursor(cluster);
    expect(told).toEqual([]);
    expect(naive.ended).toBe(true);
  });
});
