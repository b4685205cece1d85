/**
 * @module Consistency bugs of etcd's clusters, as its robustness tests list them, held against simulated ones. Each test
 * names the issue of etcd, and the change here that was tried and makes it fail.
 */
import { utf8 } from "@conclave/base";
import type { Member, MemberSettings } from "@conclave/server";
import { SimulatedCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { hashKv, valueIn } from "./commands.ts";
import { WatchRecorder } from "./watch-recorder.ts";

/** So that a member that misses a few entries needs a snapshot. */
const shortLog: Partial<MemberSettings> = { snapshotCount: 5, snapshotCatchUpEntries: 1 };

function memberOn(cluster: SimulatedCluster, machine: string): Member {
  return cluster.machine(machine).member ?? expect.fail(`${machine} does not run`);
}

/** A machine whose member follows. */
function followerOf(cluster: SimulatedCluster): string {
  const leader = cluster.leader();
  return [...cluster.machines.keys()].find((name) => name !== leader) ?? expect.unreachable();
}

/** Waits until all members have applied the same, and gives the HashKV of each. */
async function converged(cluster: SimulatedCluster): Promise<number[]> {
  const members = [...cluster.machines.keys()].map((name) => memberOn(cluster, name));
  for (let round = 0; round < 600; round++) {
    if (new Set(members.map(({ raftStatus }) => raftStatus.applied)).size === 1)
      return members.map((member) => hashKv(member));
    await cluster.sleep(100);
  }
  return expect.fail("The members do not come together");
}

// The applied index was not written in one transaction with what it stands for: after a crash, entries were applied
// twice. Fails if `Applier.writeConsistentIndex` writes the index of an entry before or after.
test("etcd#13766: members that crash under load apply every entry once", async () => {
  const cluster = new SimulatedCluster({ seed: 13, settings: { backendBatchIntervalMs: 3 } });
  await cluster.run(async () => {
    await cluster.start();
    let running = true;
    const writers = Array.from({ length: 6 }, async (_, writer) => {
      const { client } = cluster.client({ timeoutMs: 3_000 });
      for (let count = 0; running; count++) await client.put(`${writer}/${count}`, "value").catch(() => {});
    });
    for (let crash = 0; crash < 12; crash++) {
      await cluster.sleep(300 + cluster.time.random.below(300));
      const machine = [...cluster.machines.keys()][crash % 3] ?? expect.unreachable();
      cluster.crash(machine, crash % 2 === 0 ? "drop" : "tear");
      await cluster.restart(machine);
    }
    running = false;
    await Promise.all(writers);
    expect(new Set(await converged(cluster)).size).toBe(1);
    // Every entry makes one key in one revision of its own.
    const { store } = memberOn(cluster, "m1");
    expect(store.currentRevision).toBeGreaterThan(500);
    expect(store.keyCount).toBe(store.currentRevision - 1);
  });
  expect(cluster.failures).toEqual([]);
});

describe("a watch on a member that was cut off and is brought up to date by a snapshot", () => {
  interface Rejoined {
    /** The events since the watch was created. */
    readonly events: readonly string[];
    /** The revision when it was created. */
    readonly before: number;
    /** The revision that the others reached meanwhile. */
    readonly after: number;
    /** Progress that was told before the first event. */
    readonly earlyProgress: readonly number[];
  }

  /** Watches on a follower from a revision relative to its current one, and lets it miss 40 writes. */
  async function rejoin(seed: number, ahead: number): Promise<Rejoined> {
    const sent = new Set<string>();
    const settings = { ...shortLog, watchProgressIntervalMs: 50 };
    const cluster = new SimulatedCluster({ seed, settings, network: { onSend: ({ type }) => void sent.add(type) } });
    const result = await cluster.run(async () => {
      await cluster.start();
      const { client } = cluster.client();
      for (let count = 0; count < 10; count++) await client.put("key", `${count}`);
      await converged(cluster);
      const follower = followerOf(cluster);
      const member = memberOn(cluster, follower);
      const before = member.store.currentRevision;
      const recorder = new WatchRecorder(member);
      const watchId = recorder.watch({ from: before + ahead });
      cluster.isolate(follower);
      for (let count = 0; count < 40; count++) await client.put("key", `${count}`);
      recorder.requestProgress();
      cluster.heal();
      await converged(cluster);
      for (let count = 0; count < 5; count++) await client.put("key", `${count}`);
      await converged(cluster);
      await cluster.sleep(500);
      const responses = recorder.of(watchId).concat(recorder.of(-1n));
      const first = responses.findIndex(({ events }) => events.length > 0);
      const early = responses.slice(0, first).filter(({ created }) => !created);
      return {
        events: recorder.eventsOf(watchId),
        before,
        after: member.store.currentRevision,
        earlyProgress: early.map(({ header }) => header?.revision ?? 0),
      };
    });
    expect(sent).toContain("MsgSnap");
    expect(cluster.failures).toEqual([]);
    return result;
  }

  function eventsFrom(first: number, last: number): string[] {
    return Array.from({ length: last - first + 1 }, (_, at) => `put key@${first + at}`);
  }

  // Watchers that had been given a revision were moved back by the snapshot and given it again.
  // Fails if `Hub.resync` lets a watcher catch up from a revision that it was given.
  test.each([1, 2, 3])("etcd#15271: goes on where it was and never goes back (SEED=%d)", async (seed) => {
    const { events, before, after } = await rejoin(seed, 1);
    expect(events).toEqual(eventsFrom(before + 1, after));
  });

  // The same watch, begun at a revision that this member had not reached: it was given what came before it.
  // Fails if `Hub.resync` lets a watcher that has not begun catch up from the revision that was current.
  test.each([10, 44, 50])("etcd#20221: begun %d revisions ahead gets nothing from before", async (ahead) => {
    const { events, before, after, earlyProgress } = await rejoin(4, ahead);
    expect(events).toEqual(ahead > after - before ? [] : eventsFrom(before + ahead, after));
    for (const revision of earlyProgress) expect(revision).toBeGreaterThanOrEqual(before + ahead - 1);
  });
});

// The file of a snapshot was removed when the next one came, while it was still to be applied: here, after a crash.
// Fails if `SnapshotFiles` removes files of older snapshots as soon as it has received one.
test.each([1, 2, 3])(
  "etcd#18055: snapshots in quick succession do no harm to a slow member (SEED=%d)",
  async (seed) => {
    let snapshots = 0;
    const onSend = ({ type }: { readonly type: string }): void => {
      if (type === "MsgSnap") snapshots++;
    };
    const cluster = new SimulatedCluster({ seed, settings: shortLog, network: { onSend } });
    await cluster.run(async () => {
      await cluster.start();
      const { client } = cluster.client({ timeoutMs: 5_000 });
      const follower = followerOf(cluster);
      cluster.slowDisk(follower, 60);
      let running = true;
      const writing = (async () => {
        for (let count = 0; running; count++) {
          await client.put(`key-${count % 50}`, "x".repeat(500)).catch(() => {});
          await cluster.sleep(20);
        }
      })();
      for (let round = 0; round < 8; round++) {
        cluster.isolate(follower);
        await cluster.sleep(200);
        cluster.heal();
        await cluster.sleep(cluster.time.random.below(3_000));
        if (round % 2 === 0) continue;
        cluster.crash(follower);
        await cluster.restart(follower);
      }
      running = false;
      await writing;
      cluster.slowDisk(follower, 1);
      expect(new Set(await converged(cluster)).size).toBe(1);
    });
    expect(snapshots).toBeGreaterThan(5);
    expect(cluster.failures).toEqual([]);
  },
);

// A leader that had been stopped answered a read that waited in its sockets before it heard of its successor.
// Fails if `Member.linearizable` asks nobody.
test.each([0, 1, 20])(
  "etcd#20418: a leader that was paused gives no stale read (sent %d ms before it wakes)",
  async (ms) => {
    const cluster = new SimulatedCluster({ seed: 1 + ms });
    await cluster.run(async () => {
      await cluster.start();
      for (let round = 0; round < 5; round++) {
        const leader = await cluster.waitForLeader();
        const { endpoint } = cluster.machine(leader);
        const others = [...cluster.machines.values()].filter(({ name }) => name !== leader);
        const writer = cluster.client({ endpoints: others.map((machine) => machine.endpoint) }).client;
        const reader = cluster.client({ endpoints: [endpoint], timeoutMs: 60_000 }).client;
        await writer.put("key", `before ${round}`);
        expect((await reader.get("key"))?.valueString).toBe(`before ${round}`);
        cluster.pause(leader);
        await untilDone(() => writer.put("key", `after ${round}`));
        expect(valueIn(memberOn(cluster, leader), "key")).toBe(`before ${round}`);
        const read = reader.get("key"); // It waits in the leader's sockets.
        await cluster.sleep(ms);
        cluster.resume(leader);
        expect((await read)?.valueString).toBe(`after ${round}`);
      }
    });
    expect(cluster.failures).toEqual([]);
  },
);

// A member that was brought up to date by a snapshot went on with the users and permissions that it had kept in mind.
// Fails if `SnapshotInstaller` does not reload the auth store, or `AuthState.reload` keeps its permissions.
test("etcd#14571: users and permissions that come with a snapshot hold at once, and after a restart", async () => {
  const sent = new Set<string>();
  const cluster = new SimulatedCluster({
    seed: 14,
    settings: shortLog,
    network: { onSend: ({ type }) => void sent.add(type) },
  });
  await cluster.run(async () => {
    await cluster.start();
    const { client } = cluster.client();
    const { auth } = client.raw;
    // No password is hashed on virtual time: nobody logs in here.
    for (const name of ["root", "ann"]) {
      await auth.userAdd({ name, options: { noPassword: true } });
      await auth.roleAdd({ name });
      await auth.userGrantRole({ user: name, role: name });
    }
    await auth.roleGrantPermission({
      name: "ann",
      perm: { permType: 2, key: utf8("old"), rangeEnd: new Uint8Array() },
    });
    await converged(cluster);
    const follower = followerOf(cluster);
    const mayWrite = (key: string): boolean => {
      const store = memberOn(cluster, follower).auth;
      const keys = { key: utf8(key), rangeEnd: new Uint8Array() };
      try {
        store.checkKeys({ username: "ann", authRevision: store.revision }, "write", keys);
        return true;
      } catch {
        return false;
      }
    };
    cluster.isolate(follower);
    for (let count = 0; count < 20; count++) await client.put("key", `${count}`);
    await auth.roleRevokePermission({ role: "ann", key: utf8("old") });
    await auth.roleGrantPermission({
      name: "ann",
      perm: { permType: 2, key: utf8("new"), rangeEnd: new Uint8Array() },
    });
    await auth.authEnable({});
    cluster.heal();
    await converged(cluster);
    const verdicts = () => [memberOn(cluster, follower).auth.enabled, mayWrite("old"), mayWrite("new")];
    expect(verdicts()).toEqual([true, false, true]);
    cluster.crash(follower);
    await cluster.restart(follower);
    await converged(cluster);
    expect(verdicts()).toEqual([true, false, true]);
    const revisions = [...cluster.machines.keys()].map((name) => memberOn(cluster, name).auth.revision);
    expect(new Set(revisions).size).toBe(1);
  });
  expect(sent).toContain("MsgSnap");
  expect(cluster.failures).toEqual([]);
});

/** Tries again until it is done. */
async function untilDone(attempt: () => Promise<unknown>): Promise<void> {
  for (;;) {
    const isDone = await attempt().then(
      () => true,
      () => false,
    );
    if (isDone) return;
  }
}
