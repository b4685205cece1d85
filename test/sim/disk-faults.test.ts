import { utf8, utf8Text } from "@conclave/base";
import { LeaseGrantRequest, PutRequest, RangeRequest } from "@conclave/protocol/etcdserverpb";
import type { Member } from "@conclave/server";
import { SimulatedMember } from "@conclave/testkit";
import { describe, expect, test } from "vitest";

const latencyMs = () => 1;

function put(member: Member, key: string, value: string): Promise<unknown> {
  return member.propose("put", PutRequest.fromPartial({ key: utf8(key), value: utf8(value) }));
}

function valueIn(member: Member, key: string): string | undefined {
  const [kv] = member.store.range(RangeRequest.fromPartial({ key: utf8(key) })).kvs;
  return kv === undefined ? undefined : utf8Text(kv.value);
}

/** Writes `key-0`, `key-1` and so on, several at a time, until a write is refused. */
async function writeUntilRefused(
  simulated: SimulatedMember,
): Promise<{ readonly acknowledged: readonly string[]; readonly refusals: readonly unknown[] }> {
  const acknowledged: string[] = [];
  const refusals: unknown[] = [];
  let count = 0;
  const writers = Array.from({ length: 4 }, async () => {
    while (refusals.length === 0) {
      const key = `key-${count++}`;
      await put(simulated.member, key, key.repeat(50)).then(
        () => acknowledged.push(key),
        (error: unknown) => refusals.push(error),
      );
    }
  });
  await simulated.time.complete(Promise.all(writers));
  return { acknowledged, refusals };
}

const stopped = { name: "WireError", code: "Stopped" };

describe("a member whose disk fails it", () => {
  interface Fault {
    readonly name: string;
    /** What the operating system says. */
    readonly reason: string;
    readonly happen: (simulated: SimulatedMember) => void;
  }
  const faults: readonly Fault[] = [
    { name: "is full", reason: "ENOSPC", happen: ({ disk }) => disk.limitFreeBytes(20_000) },
    { name: "cannot sync", reason: "EIO", happen: ({ disk }) => disk.failNextSync() },
  ];

  test.each(faults)("stops by itself when it $name; waiting requests get an answer", async ({ reason, happen }) => {
    const simulated = new SimulatedMember({ seed: 1, latencyMs });
    const member = await simulated.start();
    happen(simulated);
    const { refusals } = await writeUntilRefused(simulated);
    expect(refusals).toEqual(refusals.map(() => expect.objectContaining(stopped)));
    expect(simulated.failure).toMatchObject({
      name: "WalError",
      code: "DISK",
      message: expect.stringContaining(reason),
    });
    await expect(put(member, "later", "x")).rejects.toMatchObject(stopped);
    await expect(member.linearizable()).rejects.toMatchObject(stopped);
    await simulated.stop();
    expect(() => [...member.backend.scan("key")]).toThrow("an open backend is used"); // It has let go of its store.
  });

  test.each(faults)("has everything it acknowledged when it is started again after it $name", async ({ happen }) => {
    for (const tear of ["drop", "keep", "cut", "tear"] as const) {
      const simulated = new SimulatedMember({ seed: 2, latencyMs });
      await simulated.start();
      const before = Array.from({ length: 10 }, (_, at) => `before-${at}`);
      await simulated.time.complete(Promise.all(before.map((key) => put(simulated.member, key, key))));
      happen(simulated);
      const { acknowledged } = await writeUntilRefused(simulated);
      await simulated.crash(tear);
      const member = await simulated.start();
      for (const key of before) expect(valueIn(member, key)).toBe(key);
      for (const key of acknowledged) expect(valueIn(member, key)).toBe(key.repeat(50));
      await simulated.time.complete(put(member, "after", "served again"));
      await simulated.stop();
    }
  });

  test("touches the disk no more after a sync has failed: nobody knows what reached it", async () => {
    const simulated = new SimulatedMember({ seed: 3, latencyMs });
    const member = await simulated.start();
    await simulated.time.advance(1_000);
    simulated.disk.failNextSync();
    const syncsBefore = simulated.disk.calls.sync;
    const writesBefore = simulated.disk.calls.write;
    await expect(simulated.time.complete(put(member, "key", "value"))).rejects.toMatchObject(stopped);
    expect(simulated.disk.calls.sync).toBe(syncsBefore + 1);
    const { write } = simulated.disk.calls;
    expect(write).toBeGreaterThan(writesBefore);
    await simulated.time.advance(10_000);
    await simulated.stop();
    expect(simulated.disk.calls).toMatchObject({ sync: syncsBefore + 1, write });
  });

  test("does not start on a disk without room for its log, and starts when there is", async () => {
    const simulated = new SimulatedMember({ seed: 4, latencyMs });
    simulated.disk.limitFreeBytes(0);
    await expect(simulated.start()).rejects.toMatchObject({ message: expect.stringContaining("ENOSPC") });
    await simulated.crash("keep"); // With half a log on it, and room again.
    await simulated.start();
    await simulated.stop();
  });
});

describe("a member that was paused past the end of a lease", () => {
  const lease = 7n;
  const ttlMs = 10_000;

  async function withLease(): Promise<SimulatedMember> {
    const simulated = new SimulatedMember({ seed: 5 });
    const member = await simulated.start();
    const grant = LeaseGrantRequest.fromPartial({ ID: lease, TTL: BigInt(ttlMs / 1000) });
    await simulated.time.complete(member.propose("leaseGrant", grant));
    return simulated;
  }

  test("takes the renewal that waited before it expires anything", async () => {
    const simulated = await withLease();
    const { lessor } = simulated.member;
    await simulated.time.pause(5 * ttlMs);
    lessor.renew(lease, simulated.time.monotonicMs()); // What its sockets held is read after the late timers.
    await simulated.time.advance(ttlMs - 1_000);
    expect(lessor.exists(lease)).toBe(true);
    await simulated.stop();
  });

  test("expires the lease soon if no renewal waited", async () => {
    const simulated = await withLease();
    const { lessor } = simulated.member;
    await simulated.time.pause(5 * ttlMs);
    await simulated.time.advance(2_000);
    expect(lessor.exists(lease)).toBe(false);
    await simulated.stop();
  });
});
