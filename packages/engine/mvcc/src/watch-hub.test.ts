import { utf8 } from "@conclave/base";
import { WatchCreateRequest } from "@conclave/protocol/etcdserverpb";
import { KeyValue } from "@conclave/protocol/mvccpb";
import { describe, expect, test } from "vitest";
import { StoreEvent } from "./store-event.ts";
import { watchLab } from "./testing/watch-lab.ts";
import type { WatchHubResponse } from "./watch-event.ts";
import { createWatchHub, syncBatchRevisions } from "./watch-hub.ts";

describe("delivery", () => {
  test("created comes before any event, and names the revision at that moment", () => {
    const lab = watchLab();
    const client = lab.open();
    lab.put("a");
    client.create({ key: "a" });
    lab.put("a", "1");
    expect(client.take()).toEqual(["#0 rev=2 created", "#0 rev=3 a=1@3"]);
  });

  test("thousands of watchers on one stream each get their own events", () => {
    const lab = watchLab();
    const client = lab.open();
    for (let index = 0; index < 5_000; index++) client.create({ key: `key${index}` });
    client.take();
    lab.put("key4321", "1");
    lab.put("nobody's");
    expect(client.take()).toEqual(["#4321 rev=2 key4321=1@2"]);
  });

  test("a large history comes in batches of whole revisions, in order, without a gap", () => {
    const lab = watchLab();
    for (let index = 0; index < 1_500; index++) lab.putAll(["a", "b"]);
    const client = lab.open();
    client.create({ key: "a", end: "c", start: 1 });
    client.take();
    lab.sync();
    const batches = client.responses.map(({ events }) => events.map(({ modRevision }) => modRevision));
    expect(batches.length).toBeGreaterThan(2);
    for (const batch of batches) expect(new Set(batch).size).toBeLessThanOrEqual(syncBatchRevisions);
    const expected = Array.from({ length: 3_000 }, (_, index) => 2 + Math.floor(index / 2));
    expect(batches.flat()).toEqual(expected);
    for (const [index, batch] of batches.entries()) expect(batch.at(-1)).not.toBe(batches[index + 1]?.[0]);
  });

  test("large values make the batches shorter", () => {
    const lab = watchLab();
    for (let index = 0; index < 30; index++) lab.put("a", "x".repeat(100_000));
    const client = lab.open();
    client.create({ key: "a", start: 1 });
    client.take();
    lab.sync();
    const sizes = client.responses.map(({ events }) => events.length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(30);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(6);
  });

  test("every response of a batch names the current revision", () => {
    const lab = watchLab();
    for (let index = 0; index < 2_500; index++) lab.put("a");
    const client = lab.open();
    client.create({ key: "a", start: 1 });
    lab.sync();
    expect(new Set(client.responses.map(({ header }) => header?.revision))).toEqual(new Set([2_501]));
  });

  test("watchers far behind and close behind all get on, whatever comes on top", () => {
    const lab = watchLab();
    for (let index = 0; index < 5_000; index++) lab.put("a");
    const clients = [1, 2_000, 4_999].map((start) => {
      const client = lab.open();
      client.create({ key: "a", start });
      return client;
    });
    for (let step = 0; step < 3; step++) lab.hub.syncStep();
    expect(clients.map(({ responses }) => responses.some(({ events }) => events.length > 0))).toEqual([
      true,
      true,
      true,
    ]);
    for (let step = 0; step < 12; step++) {
      lab.hub.syncStep();
      lab.put("a");
    }
    lab.sync();
    for (const [index, start] of [2, 2_000, 4_999].entries()) {
      const revisions = clients[index]?.responses.flatMap(({ events }) => events.map((event) => event.modRevision));
      expect(revisions).toEqual(Array.from({ length: 5_014 - start }, (_, offset) => start + offset));
    }
  });

  test("whoever is up to date is served at once while hundreds catch up, a bounded step after the other", () => {
    const lab = watchLab();
    for (let index = 0; index < 5_000; index++) lab.put("a");
    const synced = lab.open();
    synced.create({ key: "a" });
    synced.take();
    const behind = lab.open();
    for (let index = 0; index < 600; index++) behind.create({ key: "a", start: 2 });
    let steps = 0;
    for (let isBehind = true; isBehind; steps++) {
      lab.put("a");
      expect(synced.takeEvents()).toEqual([`a=@${lab.store.currentRevision}`]);
      const before = behind.responses.length;
      isBehind = lab.hub.syncStep();
      expect(behind.responses.length - before).toBeLessThanOrEqual(512);
    }
    expect(steps).toBeGreaterThan(10);
    const events = behind.responses.reduce((sum, response) => sum + response.events.length, 0);
    expect(events).toBe(600 * (lab.store.currentRevision - 1));
  });
});

describe("work", () => {
  test("the hub says once that it has work, and syncStep() when none is left", () => {
    const lab = watchLab();
    lab.put("a");
    expect(lab.hub.syncStep()).toBe(false);
    const client = lab.open();
    client.create({ key: "a" });
    expect(lab.wakeUps).toBe(0);
    client.create({ key: "a", start: 1 });
    client.create({ key: "b", start: 1 });
    expect(lab.wakeUps).toBe(1);
    expect(lab.hub.syncStep()).toBe(false);
    client.create({ key: "a", start: 1 });
    expect(lab.wakeUps).toBe(2);
  });

  test("a step serves a bounded number of watchers", () => {
    const lab = watchLab();
    lab.put("a");
    const client = lab.open();
    for (let index = 0; index < 1_000; index++) client.create({ key: "a", start: 1 });
    client.take();
    expect(lab.hub.syncStep()).toBe(true);
    expect(client.take()).toHaveLength(512);
    expect(lab.hub.syncStep()).toBe(false);
    expect(client.take()).toHaveLength(488);
  });

  test("a full stream leaves no work behind", () => {
    const lab = watchLab();
    for (let index = 0; index < 10; index++) lab.put("a");
    const client = lab.open();
    client.room = 2;
    client.create({ key: "a", start: 1 });
    client.create({ key: "a", start: 1 });
    expect(lab.hub.syncStep()).toBe(false);
    expect(lab.hub.stats).toEqual({ streams: 1, watchers: 2, slowWatchers: 2 });
    client.resume();
    expect(lab.hub.syncStep()).toBe(false);
    expect(lab.hub.stats).toEqual({ streams: 1, watchers: 2, slowWatchers: 0 });
  });

  test("a closed stream leaves nothing behind, whatever its watchers were doing", () => {
    const lab = watchLab();
    for (let index = 0; index < 2_000; index++) lab.put("a");
    const client = lab.open();
    client.create({ key: "a" });
    client.create({ key: "a", start: 1 });
    client.create({ key: "a", start: 1_500 });
    client.room = 1;
    lab.hub.syncStep();
    expect(lab.hub.stats).toEqual({ streams: 1, watchers: 3, slowWatchers: 2 });
    client.stream.close();
    client.take();
    lab.put("a");
    expect(lab.hub.syncStep()).toBe(false);
    client.stream.resume();
    client.stream.requestProgress();
    client.stream.notifyProgress();
    expect(client.take()).toEqual([]);
    expect(lab.hub.stats).toEqual({ streams: 0, watchers: 0, slowWatchers: 0 });
  });

  test("a sink may close its stream while it is being served", () => {
    const lab = watchLab();
    lab.put("a");
    const closing = (after: number) => {
      let left = after;
      const stream = lab.hub.open({
        send: () => {
          if (--left === 0) stream.close();
          return true;
        },
      });
      return stream;
    };
    const request = { key: "a" };
    const other = lab.open();
    for (const after of [1, 2, 3]) {
      const stream = closing(after);
      for (const start of [0, 2, 2]) other.create.call({ stream }, { ...request, start });
    }
    other.create(request);
    lab.sync();
    lab.put("a", "1");
    expect(other.take().at(-1)).toBe("#0 rev=3 a=1@3");
    expect(lab.hub.stats).toEqual({ streams: 1, watchers: 1, slowWatchers: 0 });
  });

  test("the hub is told of each commit before the next", () => {
    const lab = watchLab();
    lab.open().create({ key: "a" });
    expect(() => lab.hub.commit(7, [])).toThrow("a commit is told of before the next");
  });

  test("commits wait for the next step, each with a response of its own", () => {
    const lab = watchLab({ publishesLate: true });
    const client = lab.open();
    client.create({ key: "a" });
    lab.put("a", "1");
    lab.put("a", "2");
    expect(client.take()).toEqual(["#0 rev=1 created"]);
    expect(lab.wakeUps).toBe(1);
    expect(lab.hub.syncStep()).toBe(false);
    expect(client.take()).toEqual(["#0 rev=2 a=1@2", "#0 rev=3 a=2@3"]);
    lab.put("a", "3");
    expect(lab.wakeUps).toBe(2);
  });

  test("whoever comes between a commit and its publication starts after it, or reads it from the history", () => {
    const lab = watchLab({ publishesLate: true });
    const [first, second] = [lab.open(), lab.open()];
    first.create({ key: "a" });
    lab.put("a", "1");
    second.create({ key: "a" });
    second.create({ key: "a", start: 2 });
    lab.sync();
    expect(first.takeEvents()).toEqual(["a=1@2"]);
    expect(second.take()).toEqual(["#0 rev=2 created", "#1 rev=2 created", "#1 rev=2 a=1@2"]);
    lab.put("a", "2");
    lab.sync();
    expect(second.take()).toEqual(["#0 rev=3 a=2@3", "#1 rev=3 a=2@3"]);
  });

  test("progress is claimed only after what is committed was published", () => {
    const lab = watchLab({ publishesLate: true });
    const client = lab.open();
    client.create({ key: "a", progress: true });
    client.take();
    lab.put("a", "1");
    client.stream.requestProgress();
    expect(client.take()).toEqual(["#0 rev=2 a=1@2", "#-1 rev=2"]);
    lab.put("b", "1");
    client.stream.notifyProgress();
    client.stream.notifyProgress();
    expect(client.take()).toEqual(["#0 rev=3"]);
  });

  test("what waits for its publication when the history is replaced is read from the new one", async () => {
    const lab = watchLab({ publishesLate: true });
    const client = lab.open();
    client.create({ key: "a" });
    client.take();
    lab.put("a", "1");
    await lab.jump((member) => member.put("a", "2"));
    lab.sync();
    expect(client.takeEvents()).toEqual(["a=1@2", "a=2@3"]);
  });
});

// What went wrong in etcd once; see the regression list of its robustness tests.
describe("mistakes not to repeat", () => {
  test("progress is never claimed for a revision whose events are still to come (etcd 15220)", () => {
    const lab = watchLab();
    for (let index = 0; index < 3_000; index++) lab.put("a");
    const client = lab.open();
    client.create({ key: "b", progress: true });
    client.create({ key: "a", start: 1, progress: true });
    client.take();
    for (let more = true; more; ) {
      more = lab.hub.syncStep();
      client.stream.requestProgress();
      client.stream.notifyProgress();
    }
    client.stream.notifyProgress();
    const isPromise = ({ watchId, events }: WatchHubResponse) => watchId !== 0n && events.length === 0;
    const firstPromise = client.responses.findIndex(isPromise);
    const lastEvents = client.responses.findLastIndex(({ events }) => events.length > 0);
    expect(client.responses[lastEvents]?.events.at(-1)?.modRevision).toBe(3_001);
    expect(firstPromise).toBeGreaterThan(lastEvents);
    expect(client.take().slice(firstPromise)).toEqual(["#-1 rev=3001", "#0 rev=3001", "#0 rev=3001", "#1 rev=3001"]);
  });

  test("a starved stream loses no event, however long it was starved (etcd 17529)", () => {
    const lab = watchLab();
    const client = lab.open();
    client.create({ key: "a", end: "c" });
    client.take();
    client.room = 1;
    for (let index = 0; index < 2_500; index++) lab.put(index % 2 === 0 ? "a" : "b", `${index}`);
    const seen: number[] = [];
    for (let round = 0; round < 10; round++) {
      lab.sync();
      seen.push(...client.responses.splice(0).flatMap(({ events }) => events.map((event) => event.modRevision)));
      client.resume(1);
    }
    expect(seen).toEqual(Array.from({ length: 2_500 }, (_, index) => index + 2));
  });

  test("a delete at the compact revision reaches a watcher that was behind (etcd 18089)", () => {
    const lab = watchLab();
    lab.put("a", "1");
    const client = lab.open();
    client.create({ key: "a" });
    client.take();
    client.room = 1;
    lab.put("a", "2");
    lab.delete("a");
    lab.put("other");
    lab.compact(4);
    client.resume();
    lab.sync();
    expect(client.takeEvents()).toEqual(["a=2@3", "a-@4"]);
  });

  test("a watcher that starts at the compact revision gets the delete made there (etcd 19179)", () => {
    const lab = watchLab();
    lab.put("a", "1");
    lab.delete("a");
    lab.put("b", "1");
    lab.compact(3);
    const client = lab.open();
    client.create({ key: "a", prefix: true, start: 3 });
    lab.sync();
    expect(client.takeEvents()).toEqual(["a-@3"]);
  });

  test("a watcher that starts in the future gets no older event, also after its stream was full (etcd 20221)", () => {
    const lab = watchLab();
    const client = lab.open();
    client.create({ key: "a" });
    client.create({ key: "a", start: 6, progress: true });
    client.take();
    client.room = 1;
    for (let index = 2; index <= 4; index++) lab.put("a", `${index}`);
    client.resume();
    lab.sync();
    client.stream.requestProgress();
    client.stream.notifyProgress();
    for (let index = 5; index <= 7; index++) lab.put("a", `${index}`);
    const ofTheFuture = client.take().filter((line) => line.startsWith("#1"));
    expect(ofTheFuture).toEqual(["#1 rev=6 a=6@6", "#1 rev=7 a=7@7"]);
  });

  test("a watcher of a quiet key is not overtaken by compactions (the cursor ages)", () => {
    const lab = watchLab();
    const client = lab.open();
    client.create({ key: "quiet" });
    for (let index = 0; index < 100; index++) lab.put("busy");
    lab.compact(90);
    client.take();
    client.room = 1;
    client.create({ key: "busy" });
    lab.put("quiet", "1");
    client.resume();
    lab.sync();
    expect(client.take()).toEqual(["#1 rev=101 created", "#0 rev=102 quiet=1@102"]);
  });
});

describe("resync()", () => {
  test("says that there is work if somebody is behind then, and only then", async () => {
    const lab = watchLab();
    const client = lab.open();
    client.create({ key: "a" });
    await lab.jump(() => {});
    expect(lab.wakeUps).toBe(0);
    await lab.jump(({ put }) => put("a"));
    expect(lab.wakeUps).toBe(1);
  });

  test("keeps what was owed before, and what was promised by a progress notification", async () => {
    const lab = watchLab();
    const client = lab.open();
    client.create({ key: "a" });
    lab.put("b");
    client.stream.requestProgress();
    await lab.jump(({ put }) => put("a", "1"));
    client.stream.requestProgress();
    lab.sync();
    client.stream.requestProgress();
    expect(client.take()).toEqual(["#0 rev=1 created", "#-1 rev=2", "#0 rev=3 a=1@3", "#-1 rev=3"]);
  });

  test("tells nobody anything twice if the history has gone back, as far as it comes again", () => {
    let currentRevision = 8;
    const sent: [watchId: bigint, revision: number][] = [];
    const history = {
      get currentRevision() {
        return currentRevision;
      },
      compactRevision: -1,
      eventsBetween: () => ({ events: [], nextRevision: currentRevision + 1 }),
    };
    const header = (revision: number) => ({ clusterId: 1n, memberId: 2n, revision, raftTerm: 3 });
    const hub = createWatchHub({ history, header, onWork: () => {} });
    const stream = hub.open({
      send: ({ watchId, events }) => {
        for (const { modRevision } of events) sent.push([watchId, modRevision]);
        return true;
      },
    });
    for (const startRevision of [0n, 6n])
      stream.create(WatchCreateRequest.fromPartial({ key: utf8("a"), startRevision }));
    currentRevision = 5;
    hub.resync();
    expect(hub.syncStep()).toBe(false);
    stream.create(WatchCreateRequest.fromPartial({ key: utf8("b") }));
    hub.resync();
    for (currentRevision = 6; currentRevision <= 9; currentRevision++) {
      hub.commit(currentRevision, [storeEvent("a", currentRevision), storeEvent("b", currentRevision)]);
      hub.publish();
    }
    // Only the first one had been told what came from 6 to 8; the third one began at 6.
    const of = (id: bigint) => sent.filter(([watchId]) => watchId === id).map(([, revision]) => revision);
    expect([of(0n), of(1n), of(2n)]).toEqual([[9], [6, 7, 8, 9], [6, 7, 8, 9]]);
  });
});

function storeEvent(key: string, modRevision: number): StoreEvent {
  const kv = { key: utf8(key), createRevision: 2, modRevision, version: modRevision, value: utf8(""), lease: 0n };
  const change = { type: "put" as const, key, modRevision, kvBytes: KeyValue.encode(kv).finish() };
  return new StoreEvent(change, { valueAt: () => undefined });
}
