/** @module T7 and what a consumer of a watch can do to it. */
import { describe, expect, test } from "vitest";
import { allKeys } from "../kv/key-range.ts";
import { modelCluster } from "../testing/model-client.ts";
import type { WatchBatch } from "./watch-batch.ts";

const watchPath = "/etcdserverpb.Watch/Watch";

describe("T7: a slow consumer", () => {
  test("holds back its own watch at the bound, and loses nothing once it goes on", async () => {
    const { client, store, time, members } = modelCluster({ batchRevisions: 10 });
    for (let n = 0; n < 200; n++) store.commit([{ key: "k", value: `${n}` }]);
    const slow = client.watch(allKeys(), { from: 1, bufferEvents: 20 });
    const fast: number[] = [];
    client.watch(allKeys(), { from: 1 }).on("batch", ({ revision }) => fast.push(revision));
    await time.advance(10_000);
    expect(slow.bufferedEvents).toBeLessThanOrEqual(20);
    expect(fast).toHaveLength(200);
    const revisions: number[] = [];
    slow.on("batch", ({ revision }) => revisions.push(revision));
    await time.run(() => revisions.length === 200);
    expect(revisions).toEqual(fast);
    expect(members[0]?.creates.length).toBeGreaterThan(10);
  });

  test("with the policy fail ends after what waits", async () => {
    const { client, store, time } = modelCluster();
    for (let n = 0; n < 50; n++) store.commit([{ key: "k", value: `${n}` }]);
    const watcher = client.watch(allKeys(), { from: 1, bufferEvents: 10, overflow: "fail" });
    await time.advance(1_000);
    const revisions: number[] = [];
    const iterate = async () => {
      for await (const { revision } of watcher) revisions.push(revision);
    };
    await expect(time.complete(iterate())).rejects.toMatchObject({ code: "SLOW_CONSUMER" });
    expect(revisions).toEqual([2, 3, 4, 5, 6]);
  });

  test("with the policy coalesce has the newest of each key wait, and misses no key", async () => {
    const { client, store, time } = modelCluster({ batchRevisions: 1 });
    const watcher = client.watch(allKeys(), { from: 2, overflow: "coalesce", bufferEvents: 8, prevKv: true });
    for (let n = 0; n < 100; n++) store.commit([{ key: `k${n % 2}`, value: `${n}` }]);
    await time.advance(1_000);
    expect(watcher.bufferedEvents).toBeLessThanOrEqual(8);
    const batches: WatchBatch[] = [];
    watcher.on("batch", (batch) => batches.push(batch));
    await time.advance(1_000);
    const [first] = batches;
    if (first?.kind !== "events") throw new Error("expected events");
    // What is merged is said, and what follows goes on where it ends.
    expect(first.coalescedFrom).toBe(2);
    expect(first.events).toHaveLength(2);
    const revisions = batches.map(({ revision }) => revision);
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
    const newest = new Map(batches.flatMap(({ events }) => events.map(({ kv }) => [kv.keyString, kv.valueString])));
    expect(Object.fromEntries(newest)).toEqual({ k0: "98", k1: "99" });
    watcher.close();
  });

  test("with the policy coalesce is held back where every event is of another key", async () => {
    const { client, store, time } = modelCluster({ batchRevisions: 1 });
    const watcher = client.watch(allKeys(), { from: 2, overflow: "coalesce", bufferEvents: 8 });
    for (let n = 0; n < 100; n++) store.commit([{ key: `k${n}`, value: `${n}` }]);
    await time.advance(1_000);
    expect(watcher.bufferedEvents).toBeLessThanOrEqual(8);
    const keys: string[] = [];
    watcher.on("put", ({ kv }) => keys.push(kv.keyString));
    await time.advance(5_000);
    expect(keys).toEqual(Array.from({ length: 100 }, (_, n) => `k${n}`));
    watcher.close();
  });

  test("one revision larger than the bound is told whole", async () => {
    const { client, store, time } = modelCluster();
    store.commit(Array.from({ length: 30 }, (_, n) => ({ key: `k${n}`, value: "" })));
    store.commit([{ key: "after", value: "" }]);
    const sizes: number[] = [];
    const watcher = client.watch(allKeys(), { from: 1, bufferEvents: 4 });
    watcher.on("batch", ({ events }) => sizes.push(events.length));
    await time.run(() => sizes.length === 2);
    expect(sizes).toEqual([30, 1]);
  });
});

describe("a consumer of a watch", () => {
  test("sees as the cursor what it was handed, not what waits", async () => {
    const { client, store, time } = modelCluster();
    store.commit([{ key: "a", value: "1" }]);
    store.commit([{ key: "a", value: "2" }]);
    const watcher = client.watch(allKeys(), { from: 1 });
    await time.advance(1_000);
    const iterator = watcher[Symbol.asyncIterator]();
    expect(watcher.cursor).toBeUndefined();
    await iterator.next();
    expect(watcher.cursor).toBe(2);
    expect(watcher.bufferedEvents).toBe(1);
  });

  test("that leaves its loop closes the watch, and the last watch closes the stream", async () => {
    const { client, store, time, network } = modelCluster();
    store.commit([{ key: "a", value: "1" }]);
    const watcher = client.watch(allKeys(), { from: 1 });
    const loop = async () => {
      for await (const _ of watcher) break;
    };
    await time.complete(loop());
    expect(await watcher.ended).toBeUndefined();
    expect(network.openStreams(watchPath)).toHaveLength(0);
    expect(time.pendingTimers).toBe(0);
  });

  test("may give a signal, whose reason the error keeps", async () => {
    const { client, time } = modelCluster();
    const controller = new AbortController();
    const watcher = client.watch(allKeys(), { signal: controller.signal });
    const next = watcher[Symbol.asyncIterator]().next();
    controller.abort("enough");
    await expect(time.complete(next)).rejects.toMatchObject({ code: "ABORTED", cause: "enough" });
  });

  test("cannot be two", () => {
    const { client } = modelCluster();
    const watcher = client.watch(allKeys());
    watcher.on("put", () => {});
    expect(() => watcher[Symbol.asyncIterator]()).toThrow("Cannot consume a watch twice");
  });

  test("hears of lost and new connections", async () => {
    const { client, time, network } = modelCluster();
    const watcher = client.watch(allKeys());
    const heard: string[] = [];
    watcher.on("connected", () => heard.push("connected"));
    watcher.on("disconnected", ({ code }) => heard.push(`disconnected ${code}`));
    await time.complete(watcher.ready());
    network.streams[0]?.end();
    await time.advance(1_000);
    expect(heard).toEqual(["connected", "disconnected UNAVAILABLE", "connected"]);
  });

  test("gets reports of progress if it asks for them", async () => {
    const { client, store, time } = modelCluster();
    const watcher = client.watch("quiet", { progress: true });
    const batches: WatchBatch[] = [];
    watcher.on("batch", (batch) => batches.push(batch));
    await time.complete(watcher.ready());
    store.commit([{ key: "other", value: "" }]);
    await time.run(() => batches.length > 0);
    expect(batches).toEqual([{ kind: "progress", revision: 2, events: [] }]);
  });

  test("waits no longer than it says for the watch to stand", async () => {
    const { client, network, time } = modelCluster();
    network.reachability.set("m1:1", "silent");
    const ready = client.watch("a").ready({ timeoutMs: 500 });
    await expect(time.complete(ready)).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  test("is told of a closed client", async () => {
    const { client, time } = modelCluster();
    const watcher = client.watch("a");
    await time.complete(client.close());
    expect((await watcher.ended)?.code).toBe("CLOSED");
    expect((await client.watch("a").ended)?.code).toBe("CLOSED");
  });
});
