/** @module The traps of watching that other clients fall into, one by one, against a member as awkward as allowed. */
import { describe, expect, test } from "vitest";
import { isConclaveError } from "../conclave-error.ts";
import { allKeys, prefix } from "../kv/key-range.ts";
import { connectionLost } from "../testing/fake-network.ts";
import { type ModelCluster, modelCluster } from "../testing/model-client.ts";

import type { ModelStore } from "../testing/model-store.ts";
import { wireFailure } from "../testing/wire-failure.ts";
import type { WatchBatch } from "./watch-batch.ts";
import type { Watcher } from "./watch-options.ts";

/** Seven revisions; the third and the sixth change several keys. */
function fill(store: ModelStore): void {
  store.commit([{ key: "a", value: "1" }]);
  store.commit([
    { key: "a", value: "2" },
    { key: "b", value: "1" },
    { key: "c", value: "1" },
  ]);
  store.commit([{ key: "b", value: "2" }]);
  store.commit([{ key: "a", value: undefined }]);
  store.commit([
    { key: "c", value: undefined },
    { key: "d", value: "1" },
    { key: "e", value: "1" },
    { key: "f", value: "1" },
  ]);
  store.commit([{ key: "d", value: "2" }]);
}

/** One line per batch, as `2: put a=1`. */
function told(batch: WatchBatch): string {
  const events = batch.events.map(({ type, kv }) =>
    type === "put" ? `put ${kv.keyString}=${kv.valueString}` : `delete ${kv.keyString}`,
  );
  return `${batch.kind === "events" ? "" : `${batch.kind} `}${batch.revision}: ${events.join(", ")}`;
}

const everything = [
  "2: put a=1",
  "3: put a=2, put b=1, put c=1",
  "4: put b=2",
  "5: delete a",
  "6: delete c, put d=1, put e=1, put f=1",
  "7: put d=2",
];

/** Collects what a watch tells. */
function collect(watcher: Watcher): string[] {
  const lines: string[] = [];
  watcher.on("batch", (batch) => lines.push(told(batch)));
  return lines;
}

/** Watches the history from the start until everything has been told. */
async function watchEverything(cluster: ModelCluster): Promise<string[]> {
  fill(cluster.store);
  const lines = collect(cluster.client.watch(allKeys(), { from: 1 }));
  await cluster.time.run(() => lines.length >= everything.length, 600_000);
  await cluster.time.advance(60_000);
  return lines;
}

describe("T1: the cursor is what was told, not what the header says", () => {
  for (const fragmentEvents of [1, 2, 100])
    for (const batchRevisions of [1, 3, 100]) {
      test(`a cut before any one frame loses and repeats nothing (${batchRevisions} revisions, ${fragmentEvents} events a frame)`, async () => {
        for (let cutAt = 0; cutAt < 20; cutAt++) {
          let frame = 0;
          const cluster = modelCluster({
            fragmentEvents,
            batchRevisions,
            onFrame: () => (frame++ === cutAt ? "cut" : "send"),
          });
          expect(await watchEverything(cluster)).toEqual(everything);
        }
      });
    }

  test("a cut after every few frames still leads through the history", async () => {
    // Fewer than three frames a connection would never bring the whole of revision 6, which comes in two.
    for (const every of [4, 5, 7]) {
      let frame = 0;
      const cluster = modelCluster({
        batchRevisions: 2,
        fragmentEvents: 4,
        onFrame: () => (++frame % every === 0 ? "cut" : "send"),
      });
      expect(await watchEverything(cluster)).toEqual(everything);
    }
  });

  test("a watch from now on begins after the revision at which it stood, whatever happens before the first event", async () => {
    const cluster = modelCluster();
    fill(cluster.store);
    const watcher = cluster.client.watch(allKeys());
    const lines = collect(watcher);
    expect(await cluster.time.complete(watcher.ready())).toBe(7);
    cluster.network.streams[0]?.end(connectionLost());
    cluster.store.commit([{ key: "x", value: "1" }]);
    await cluster.time.run(() => lines.length > 0);
    expect(lines).toEqual(["8: put x=1"]);
    expect(watcher.cursor).toBe(8);
  });
});

describe("T2: a revision is told whole", () => {
  test("fragments that split a revision are put together, and the cursor waits for the last", async () => {
    const cluster = modelCluster({ fragmentEvents: 1, batchRevisions: 100 });
    fill(cluster.store);
    const watcher = cluster.client.watch(allKeys(), { from: 6 });
    const cursors: (number | undefined)[] = [];
    watcher.on("batch", () => cursors.push(watcher.cursor));
    await cluster.time.advance(4);
    expect(cursors).toEqual([]);
    await cluster.time.advance(2);
    expect(cursors).toEqual([6, 7]);
  });

  test("two watches on one stream do not mix their fragments", async () => {
    const cluster = modelCluster({ fragmentEvents: 1, batchRevisions: 100 });
    fill(cluster.store);
    const first = collect(cluster.client.watch(allKeys(), { from: 1 }));
    const second = collect(cluster.client.watch("d", { from: 1 }));
    await cluster.time.advance(1_000);
    expect(cluster.network.streams).toHaveLength(1);
    expect(first).toEqual(everything);
    expect(second).toEqual(["6: put d=1", "7: put d=2"]);
  });
});

describe("T3: a compaction that passes the cursor", () => {
  test("ends a watch of the raw history with COMPACTED and the first revision there is", async () => {
    const { client, store, time } = modelCluster();
    fill(store);
    store.compactRevision = 5;
    const watcher = client.watch(allKeys(), { from: 2 });
    const failure = await time.complete(next(watcher).catch((error: unknown) => error));
    if (!isConclaveError(failure, "COMPACTED")) throw failure;
    expect(failure.details.compactRevision).toBe(5);
    expect(await watcher.ended).toBe(failure);
  });

  test("is bridged by the difference, with deletions nobody has seen", async () => {
    const { client, store, time, network } = modelCluster();
    fill(store);
    const lines = collect(client.watch(allKeys(), { from: "snapshot" }));
    await time.advance(1_000);
    expect(lines).toEqual(["resync 7: put b=2, put d=2, put e=1, put f=1"]);
    network.reachability.set("m1:1", "refuses");
    network.streams[0]?.end(connectionLost());
    store.commit([{ key: "b", value: undefined }]);
    store.commit([
      { key: "d", value: "3" },
      { key: "g", value: "1" },
    ]);
    store.commit([{ key: "d", value: "4" }]);
    store.compactRevision = 10;
    network.reachability.set("m1:1", "up");
    await time.advance(60_000);
    store.commit([{ key: "h", value: "1" }]);
    await time.advance(1_000);
    expect(lines.slice(1)).toEqual(["resync 10: delete b, put d=4, put g=1", "11: put h=1"]);
  });

  test("is bridged for a watch that began at a revision, from what was there then", async () => {
    const { client, store, time, network } = modelCluster();
    fill(store);
    const lines = collect(client.watch(allKeys(), { from: 8, onCompaction: "resync" }));
    await time.advance(1_000);
    network.streams[0]?.end(connectionLost());
    store.commit([{ key: "e", value: undefined }]);
    store.commit([{ key: "f", value: undefined }]);
    store.compactRevision = 9;
    await time.advance(60_000);
    expect(lines).toEqual(["resync 9: delete e, delete f"]);
  });

  test("is bridged for a watch that begins at a revision to come", async () => {
    const { client, store, time, network } = modelCluster();
    fill(store);
    const lines = collect(client.watch(allKeys(), { from: 9, onCompaction: "resync" }));
    await time.advance(1_000);
    store.commit([{ key: "x", value: "not told" }]);
    store.commit([{ key: "y", value: "1" }]);
    await time.advance(1_000);
    network.streams[0]?.end(connectionLost());
    store.commit([{ key: "y", value: undefined }]);
    store.commit([{ key: "z", value: "1" }]);
    store.compactRevision = 11;
    await time.advance(60_000);
    expect(lines).toEqual(["9: put y=1", "resync 11: delete y, put x=not told, put z=1"]);
  });

  test("does not tell again what was told, deletions neither", async () => {
    const { client, store, time, network } = modelCluster();
    fill(store);
    const lines = collect(client.watch(allKeys(), { from: 1, onCompaction: "resync" }));
    await time.run(() => lines.length === everything.length);
    network.streams[0]?.end(connectionLost());
    store.commit([{ key: "g", value: "1" }]);
    store.commit([{ key: "g", value: "2" }]);
    store.compactRevision = 9;
    await time.advance(60_000);
    expect(lines.slice(everything.length)).toEqual(["resync 9: put g=2"]);
  });

  test("loses nothing that happens while a snapshot of many pages is read", async () => {
    const { client, store, time, network } = modelCluster();
    store.commit(Array.from({ length: 2_500 }, (_, n) => ({ key: `k${n}`, value: "old" })));
    const lines: number[] = [];
    let writes = 0;
    const [member] = network.members.values();
    network.members.set("m1:1", {
      stream: (stream) => member?.stream(stream),
      unary(call) {
        const page = member?.unary(call) ?? new Uint8Array(0);
        store.commit([{ key: "k0", value: `new ${writes++}` }]);
        return page;
      },
    });
    client.watch(allKeys(), { from: "snapshot" }).on("batch", ({ revision }) => lines.push(revision));
    await time.advance(10_000);
    expect(writes).toBe(3);
    expect(lines).toEqual([2, 3, 4, 5]);
  });

  test("tells a resync also when the first revision asked for is gone", async () => {
    const { client, store, time } = modelCluster();
    fill(store);
    store.compactRevision = 7;
    const lines = collect(client.watch(allKeys(), { from: 2, onCompaction: "resync" }));
    await time.advance(60_000);
    expect(lines).toEqual(["resync 7: put b=2, put d=2, put e=1, put f=1"]);
  });
});

describe("T4: the cursor of a quiet watch does not age", () => {
  test("answers to progress requests move it, so that a later compaction loses nothing", async () => {
    const { client, store, time, network, members } = modelCluster();
    const watcher = client.watch(prefix("quiet/"));
    const lines = collect(watcher);
    await time.complete(watcher.ready());
    fill(store);
    await time.advance(60_000);
    expect(watcher.cursor).toBe(7);
    store.compactRevision = 7;
    network.streams[0]?.end(connectionLost());
    store.commit([{ key: "quiet/a", value: "1" }]);
    await time.run(() => lines.length > 0);
    expect(lines).toEqual(["8: put quiet/a=1"]);
    expect(members[0]?.progressRequests).toBeGreaterThan(0);
  });

  test("answers of a member that reports past its own events are not believed", async () => {
    const { client, store, time } = modelCluster({ version: "3.4.23" });
    const watcher = client.watch(prefix("quiet/"));
    collect(watcher);
    await time.complete(watcher.ready());
    fill(store);
    await time.advance(120_000);
    expect(watcher.cursor).toBeUndefined();
  });

  test("an answer does not speak for a watch that was created after the request", async () => {
    const { client, store, time, network, members } = modelCluster({ batchRevisions: 1 });
    const early = client.watch("early");
    await time.complete(early.ready());
    // The member's version is learnt at the first answer.
    await time.advance(40_000);
    fill(store);
    const [member] = members;
    if (member === undefined) throw new Error("there is a member");
    await time.run(() => member.progressRequests > 2);
    const late = client.watch(allKeys(), { from: 2 });
    const lines = collect(late);
    await time.run(() => lines.length === 1);
    network.streams[0]?.end(connectionLost());
    await time.run(() => lines.length === everything.length);
    expect(lines).toEqual(everything);
  });
});

describe("T5: a member that is cut off from the others", () => {
  test("is left when it says that it has no leader", async () => {
    const cluster = modelCluster({ members: 2 });
    fill(cluster.store);
    const watcher = cluster.client.watch(allKeys());
    const lines = collect(watcher);
    await cluster.time.complete(watcher.ready());
    const [stream] = cluster.network.streams;
    expect(stream?.metadata.hasleader).toBe("true");
    stream?.end(wireFailure("NoLeader"));
    await cluster.time.advance(1_000);
    expect(cluster.network.streams.at(-1)?.endpoint).not.toBe(stream?.endpoint);
    cluster.store.commit([{ key: "x", value: "1" }]);
    await cluster.time.run(() => lines.length === 1);
  });

  test("is left when it says nothing at all, and nothing is lost", async () => {
    const cluster = modelCluster({ members: 2 });
    fill(cluster.store);
    const watcher = cluster.client.watch(allKeys());
    const lines = collect(watcher);
    await cluster.time.complete(watcher.ready());
    const [stream] = cluster.network.streams;
    if (stream === undefined) throw new Error("there is a stream");
    stream.send = () => {};
    cluster.store.commit([{ key: "x", value: "1" }]);
    await cluster.time.advance(60_000);
    expect(cluster.network.streams.at(-1)?.endpoint).not.toBe(stream.endpoint);
    expect(lines).toEqual(["8: put x=1"]);
  });

  test("is not left for being quiet as long as it answers", async () => {
    const cluster = modelCluster({ members: 2 });
    const watcher = cluster.client.watch(allKeys());
    await cluster.time.complete(watcher.ready());
    await cluster.time.advance(3_600_000);
    expect(cluster.network.streams).toHaveLength(1);
  });

  test("a connection that cannot be made is tried elsewhere, for ever and ever more slowly", async () => {
    const cluster = modelCluster({ members: 2 });
    cluster.network.reachability.set("m1:1", "refuses").set("m2:1", "refuses");
    const watcher = cluster.client.watch(allKeys());
    await cluster.time.advance(3_600_000);
    const tries = cluster.network.streams.length;
    expect(tries).toBeGreaterThan(500);
    expect(tries).toBeLessThan(3_600);
    expect(new Set(cluster.network.streams.map(({ endpoint }) => endpoint)).size).toBe(2);
    cluster.network.reachability.set("m2:1", "up");
    expect(await cluster.time.complete(watcher.ready({ timeoutMs: 60_000 }))).toBe(1);
  });
});

describe("T25: handlers of users", () => {
  test("one that throws hurts neither the others nor the watch", async () => {
    const failures: unknown[] = [];
    const cluster = modelCluster({ client: { onHandlerError: (error) => failures.push(error.cause) } });
    const watcher = cluster.client.watch(allKeys(), { from: 1 });
    const mistake = new Error("a user's mistake");
    watcher.on("put", () => {
      throw mistake;
    });
    watcher.on("delete", async () => {
      throw mistake;
    });
    const lines = collect(watcher);
    fill(cluster.store);
    await cluster.time.run(() => lines.length === everything.length);
    expect(lines).toEqual(everything);
    expect(new Set(failures)).toEqual(new Set([mistake]));
    expect(failures).toHaveLength(11);
  });
});

/** The next batch of a watch that is iterated. */
async function next(watcher: Watcher): Promise<WatchBatch | undefined> {
  return (await watcher[Symbol.asyncIterator]().next()).value;
}
