/**
 * @module Consistency bugs of etcd's writes and compactions, as its robustness tests list them, held against one member.
 * Each test names the issue of etcd, and the change here that was tried and makes it fail.
 */
import { utf8 } from "@conclave/base";
import { createMemoryBackend, createMvccStore } from "@conclave/mvcc";
import { PutRequest, RangeRequest, TxnRequest } from "@conclave/protocol/etcdserverpb";
import { SimulatedMember } from "@conclave/testkit";
import { expect, test } from "vitest";
import { compact, hashKv, put, remove, valueIn } from "./commands.ts";

// A member alone answered a write before its log was on the disk.
// Fails if `SegmentedWal` resolves saves before their sync.
test("etcd#14370: a write that a member alone has acknowledged survives a crash at any moment", async () => {
  let acknowledged = 0;
  const momentsMs = Array.from({ length: 16 }, (_, at) => 2 * at);
  for (const momentMs of momentsMs) {
    const latencyMs = (call: string) => (call === "sync" ? 12 : 1);
    const simulated = new SimulatedMember({ seed: 1 + momentMs, latencyMs });
    const member = await simulated.start();
    let answered = false;
    put(member, "key", "new").then(
      () => {
        answered = true;
      },
      () => {},
    );
    await simulated.time.advance(momentMs);
    const wasAnswered = answered;
    await simulated.crash("drop");
    await simulated.start();
    if (wasAnswered) expect(valueIn(simulated.member, "key"), `${momentMs} ms`).toBe("new");
    if (wasAnswered) acknowledged++;
    await simulated.stop();
  }
  expect(acknowledged).toBeGreaterThan(5);
  expect(acknowledged).toBeLessThan(momentsMs.length);
});

// The revision of a member was computed from what a crash in the middle of a compaction had left of the keys.
// Fails if compaction drops the deletion at its own revision (`survivesCompaction`) and `restoreIndex` ignores its marks.
test("etcd#17780: the revision never decreases, whenever a compaction is cut short", async () => {
  for (let momentMs = 0; momentMs < 60; momentMs += 6) {
    const settings = { compactionBatchLimit: 2, compactionSleepMs: 5, backendBatchIntervalMs: 4 };
    const simulated = new SimulatedMember({ seed: 7, settings });
    const { time } = simulated;
    const member = await simulated.start();
    for (let index = 0; index < 10; index++) await time.complete(put(member, `key-${index}`));
    for (let index = 0; index < 10; index++) await time.complete(remove(member, `key-${index}`));
    const { currentRevision } = member.store;
    await time.complete(compact(member, currentRevision));
    await time.advance(momentMs);
    await time.complete(member.flush()); // What the compaction has deleted so far is gone for good.
    await simulated.crash("drop");
    const restarted = await simulated.start();
    expect(restarted.store.currentRevision, `${momentMs} ms`).toBe(currentRevision);
    expect(await time.complete(put(restarted, "next"))).toBe(currentRevision + 1);
    await simulated.stop();
  }
});

// As above: an etcd that drops deletions at the compact revision leaves nothing but the mark of the compaction.
// Fails if `restoreIndex` takes the revision from the keys alone.
test("etcd#17780: the revision of a store that was compacted to nothing is that of the compaction", () => {
  for (const mark of ["scheduledCompactRev", "finishedCompactRev"]) {
    const backend = createMemoryBackend();
    backend.put("meta", utf8(mark), Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 21, 0x5f, 0, 0, 0, 0, 0, 0, 0, 0));
    const leases = { attach: () => {}, detach: () => {}, exists: () => false };
    expect(createMvccStore({ backend, leases }).currentRevision, mark).toBe(21);
  }
});

// Members other than the one that was asked left the reads of a transaction out, and so did not see that one of them
// asks for a compacted revision: they carried out writes that it refused. The log alone must decide.
// Fails if an applier leaves out the reads of a transaction that nobody waits for at its member.
test("etcd#18667: a transaction that reads a compacted revision writes nothing on any member", async () => {
  const simulated = new SimulatedMember({ seed: 3 });
  const { time } = simulated;
  const member = await simulated.start();
  for (let index = 1; index <= 20; index++) await time.complete(put(member, `key-${index}`, "before"));
  await time.complete(compact(member, 15));
  const txn = TxnRequest.fromPartial({
    success: [
      {
        request: {
          $case: "requestPut" as const,
          value: PutRequest.fromPartial({ key: utf8("key-1"), value: utf8("after") }),
        },
      },
      {
        request: {
          $case: "requestRange" as const,
          value: RangeRequest.fromPartial({ key: utf8("key-2"), revision: 10n }),
        },
      },
    ],
  });
  await expect(time.complete(member.propose("txn", txn))).rejects.toMatchObject({ code: "Compacted" });
  expect(valueIn(member, "key-1")).toBe("before");
  expect(member.store.currentRevision).toBe(21);
  const expected = hashKv(member);
  await simulated.stop();
  // One that was not asked, and knows only the log.
  const other = await simulated.replayedCopy();
  expect(valueIn(other, "key-1")).toBe("before");
  expect(hashKv(other)).toBe(expected);
  await time.complete(other.stop());
});
