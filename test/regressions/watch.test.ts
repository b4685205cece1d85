/**
 * @module Bugs of etcd's watches, as its robustness tests list them, held against one member. Each test names the issue of
 * etcd, and the change here that was tried and makes it fail.
 */
import { utf8 } from "@conclave/base";
import { TxnRequest } from "@conclave/protocol/etcdserverpb";
import type { Member } from "@conclave/server";
import { SimulatedMember, type SimulatedMemberOptions } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { compact, put, remove } from "./commands.ts";
import { WatchRecorder } from "./watch-recorder.ts";

/** A member with so many revisions of history. */
async function memberWith(
  revisions: number,
  options: Partial<SimulatedMemberOptions> = {},
): Promise<{ readonly simulated: SimulatedMember; readonly member: Member }> {
  const simulated = new SimulatedMember({ seed: 1, ...options });
  const member = await simulated.start();
  const puts = Array.from({ length: revisions }, (_, at) => put(member, `key-${at % 10}`));
  await simulated.time.complete(Promise.all(puts));
  return { simulated, member };
}

// The answer to a progress request named a revision whose events were still to come.
// Fails if `SinkStream` answers for watchers that are behind (`#isServed`), or before they are given their events.
test("etcd#15220: progress names no revision before its events were sent", async () => {
  const { simulated, member } = await memberWith(5_000);
  const recorder = new WatchRecorder(member);
  const watchId = recorder.watch({ from: 2 });
  recorder.requestProgress();
  for (let round = 0; round < 200; round++) {
    if (round % 3 === 0) recorder.take(1 + simulated.time.random.below(2));
    await simulated.time.advance(simulated.time.random.below(2));
    recorder.requestProgress();
    void put(member, "key-1");
  }
  recorder.take(Number.POSITIVE_INFINITY);
  await simulated.time.advance(1_000);
  recorder.requestProgress();
  let sentRevision = 0;
  let answers = 0;
  for (const { events, header, created } of recorder.responses) {
    for (const { kv } of events) sentRevision = Math.max(sentRevision, kv?.modRevision ?? 0);
    if (events.length > 0 || created) continue;
    answers++;
    expect(header?.revision).toBeLessThanOrEqual(sentRevision);
  }
  expect(answers).toBeGreaterThan(0);
  expect(recorder.eventsOf(watchId)).toHaveLength(5_200);
  await simulated.stop();
});

// A cache of the store's last writes was not emptied when it was written out, and changes were read twice.
// Fails if `Hub` moves a watcher that is behind to a revision it was given, or past one that it was not.
test("etcd#17247: every change of a transaction comes once, however far behind a watcher starts", async () => {
  const settings = { backendBatchLimit: 3, backendBatchIntervalMs: 2 };
  const { simulated, member } = await memberWith(0, { settings });
  const { time } = simulated;
  const synced = new WatchRecorder(member);
  const syncedId = synced.watch();
  const late: { recorder: WatchRecorder; watchId: bigint; from: number }[] = [];
  for (let round = 0; round < 900; round++) {
    const ops = Array.from({ length: 1 + time.random.below(4) }, (_, at) => ({
      request: { $case: "requestPut" as const, value: { key: utf8(`key-${at}`), value: utf8(`${round}`) } },
    }));
    const done = member.propose("txn", TxnRequest.fromPartial({ success: ops }));
    if (round % 20 === 0) {
      const recorder = new WatchRecorder(member);
      const from = 2 + time.random.below(round + 1);
      late.push({ recorder, from, watchId: recorder.watch({ from }) });
    }
    if (time.random.below(2) === 0) await time.complete(done);
  }
  await time.advance(1_000);
  const all = synced.eventsOf(syncedId);
  expect(new Set(all).size).toBe(all.length);
  expect(member.store.currentRevision).toBe(901);
  for (const { recorder, watchId, from } of late) {
    const expected = all.filter((event) => Number(event.split("@")[1]) >= from);
    expect(recorder.eventsOf(watchId), `from ${from}`).toEqual(expected);
  }
  await simulated.stop();
});

// Many watchers of one stream that nobody reads: what they were owed was dropped, and they were not told.
// Fails if `Hub` moves a watcher that a compaction has overtaken to the compact revision rather than ending it.
test("etcd#17529: a watcher on a stream that is read slowly misses nothing, or is told that it did", async () => {
  const { simulated, member } = await memberWith(50);
  const { time } = simulated;
  const recorder = new WatchRecorder(member);
  const ids = Array.from({ length: 100 }, () => recorder.watch({ prefix: "key-", from: 2, prevKv: true }));
  recorder.take(1);
  for (let round = 0; round < 60; round++) {
    for (let count = 0; count < 5; count++) void put(member, `key-${count}`);
    if (round % 2 === 0) recorder.take(3);
    await time.advance(3);
    if (round === 40) await time.complete(compact(member, member.store.currentRevision - 20));
  }
  recorder.take(Number.POSITIVE_INFINITY);
  await time.advance(2_000);
  let told = 0;
  for (const watchId of ids) {
    const revisions = recorder.of(watchId).flatMap(({ events }) => events.map(({ kv }) => kv?.modRevision));
    expect(revisions).toEqual(Array.from({ length: revisions.length }, (_, at) => 2 + at));
    const canceled = recorder.of(watchId).find((response) => response.canceled);
    if (canceled === undefined) expect(revisions.at(-1)).toBe(member.store.currentRevision);
    else expect(canceled.compactRevision).toBeGreaterThan(revisions.length + 2);
    if (canceled !== undefined) told++;
  }
  expect(told).toBeGreaterThan(0);
  expect(told).toBeLessThan(ids.length);
  await simulated.stop();
});

/** Four puts and a deletion of a key, and a put after it; gives the revision of the deletion. */
async function deletedAndPutAgain(simulated: SimulatedMember, member: Member): Promise<number> {
  const { time } = simulated;
  for (const value of ["v2", "v3", "v4"]) await time.complete(put(member, "k", value));
  const deleted = await time.complete(remove(member, "k"));
  await time.complete(put(member, "k", "v6"));
  return deleted;
}

// Compacting at a deletion dropped it, and a watch from there did not tell of it.
// Fails if compaction drops the deletion at its own revision (`survivesCompaction`).
test("etcd#18089: a watch from the compact revision tells of the deletion there", async () => {
  const { simulated, member } = await memberWith(0);
  const deleted = await deletedAndPutAgain(simulated, member);
  await simulated.time.complete(compact(member, deleted));
  await simulated.time.advance(1_000);
  const recorder = new WatchRecorder(member);
  const watchId = recorder.watch({ from: deleted });
  await simulated.time.advance(10);
  expect(recorder.eventsOf(watchId)).toEqual([`delete k@${deleted}`, `put k@${deleted + 1}`]);
  await simulated.stop();
});

// As above, when the watch is opened while the compaction is being carried out, or after a crash in it.
// Fails if compaction drops the deletion at its own revision, from the bucket or from the index alone.
test("etcd#19179: the deletion at the compact revision is told whenever the watch is opened", async () => {
  const settings = { compactionBatchLimit: 1, compactionSleepMs: 3, backendBatchIntervalMs: 5 };
  const { simulated, member } = await memberWith(20, { settings });
  const { time } = simulated;
  const deleted = await deletedAndPutAgain(simulated, member);
  const recorder = new WatchRecorder(member);
  const ids = [recorder.watch({ from: deleted })];
  const compacted = compact(member, deleted);
  ids.push(recorder.watch({ from: deleted }));
  await time.complete(compacted);
  for (let step = 0; step < 50; step++) {
    ids.push(recorder.watch({ from: deleted }));
    await time.advance(2);
  }
  const expected = [`delete k@${deleted}`, `put k@${deleted + 1}`];
  for (const watchId of ids) expect(recorder.eventsOf(watchId)).toEqual(expected);
  await simulated.crash("drop");
  const restarted = new WatchRecorder(await simulated.start());
  const watchId = restarted.watch({ from: deleted });
  await time.advance(1_000);
  const later = restarted.watch({ from: deleted });
  await time.advance(10);
  expect(restarted.eventsOf(watchId)).toEqual(expected);
  expect(restarted.eventsOf(later)).toEqual(expected);
  await simulated.stop();
});

describe("a watch from a revision that is still to come", () => {
  // Fails if `Hub` offers a synced watcher what is below its start.
  test("etcd#20221: gets no event from before", async () => {
    const { simulated, member } = await memberWith(5);
    const recorder = new WatchRecorder(member);
    const from = member.store.currentRevision + 10;
    const watchId = recorder.watch({ from });
    for (let count = 0; count < 12; count++) {
      recorder.requestProgress();
      await simulated.time.complete(put(member, "key-1"));
    }
    const revisions = [from, from + 1, from + 2];
    expect(recorder.eventsOf(watchId)).toEqual(revisions.map((revision) => `put key-1@${revision}`));
    await simulated.stop();
  });

  // Fails if `SinkStream` tells watchers of progress that have not started (`#isServed`).
  test("etcd#20221: is told of no progress before it", async () => {
    const { simulated, member } = await memberWith(5, { settings: { watchProgressIntervalMs: 20 } });
    const recorder = new WatchRecorder(member);
    const from = member.store.currentRevision + 10;
    recorder.watch({ from });
    const told = () => recorder.responses.filter(({ created, events }) => !created && events.length === 0);
    for (let count = 0; count < 9; count++) {
      recorder.requestProgress();
      await simulated.time.complete(put(member, "key-1"));
      await simulated.time.advance(50);
    }
    expect(told()).toEqual([]);
    await simulated.time.complete(put(member, "key-1"));
    await simulated.time.advance(100);
    expect(told().map(({ header }) => header?.revision)).toContain(from);
    await simulated.stop();
  });
});
