import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { type Client, connect, isConclaveError, op, prefix } from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLock, type HeldLock, type LockOptions, listLocks } from "./index.ts";

let counter = 0;
const freshName = (): string => `locks/${counter++}`;

/** Ends a holder's lease behind its back, as its expiry does while the holder is paused. */
async function loseLease(client: Client, held: HeldLock): Promise<void> {
  await client.lease.revoke(held.lease);
}

describe.each(backEnds())("a lock on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "one member", { timeout: 30_000 }, () => {
    let member: BackEndMember;
    let client: Client;
    beforeAll(async () => {
      member = await start();
      client = await connect({ endpoints: [member.endpoint] });
    });
    afterAll(async () => {
      await client.close();
      await member[Symbol.asyncDispose]();
    });

    test("is held by one at a time, in the order of arrival, with growing fences", async () => {
      const lock = createLock(client, freshName());
      const first = await lock.acquire();
      const order: string[] = [];
      const waiters = [];
      for (const name of ["second", "third"]) {
        waiters.push(
          lock.acquire().then(async (held) => {
            order.push(name);
            await held.release();
            return held.fence;
          }),
        );
        while ((await lock.inspect()).waiters.length < waiters.length);
      }
      expect(order).toEqual([]);
      await first.release();
      const [second = 0, third = 0] = await Promise.all(waiters);
      expect(order).toEqual(["second", "third"]);
      expect(first.fence).toBeLessThan(second);
      expect(second).toBeLessThan(third);
    });

    test("shows its holder and waiters", async () => {
      const name = freshName();
      const held = await createLock(client, name, { holder: "a" }).acquire();
      const waiting = createLock(client, name, { holder: "b" }).acquire();
      const lock = createLock(client, name);
      while ((await lock.inspect()).waiters.length === 0);
      const state = await lock.inspect();
      expect(state.holder).toMatchObject({ holder: "a", fence: held.fence, lease: held.lease, key: held.key });
      expect(state.waiters.map(({ holder }) => holder)).toEqual(["b"]);
      await held.release();
      await (await waiting).release();
      expect((await lock.inspect()).holder).toBeUndefined();
    });

    test("tells of each contender where it runs and for how long it has been there", async () => {
      const name = freshName();
      await using _held = await createLock(client, name).acquire();
      const { holder } = await createLock(client, name).inspect();
      expect(holder).toMatchObject({ host: hostname(), pid: process.pid });
      expect(holder?.ageMs).toBeLessThan(60_000);
    });

    test("is listed with its holder and waiters while it is held", async () => {
      const name = `listed-${freshName()}`;
      const held = await createLock(client, name, { holder: "a" }).acquire();
      const waiting = createLock(client, name, { holder: "b" }).acquire();
      while ((await createLock(client, name).inspect()).waiters.length === 0);
      const { locks, revision } = await listLocks(client, { prefix: "listed-" });
      expect(revision).toBeGreaterThan(held.fence);
      expect(locks).toMatchObject([{ name, holder: { holder: "a", key: held.key }, waiters: [{ holder: "b" }] }]);
      await held.release();
      await (await waiting).release();
      expect((await listLocks(client, { prefix: "listed-" })).locks).toEqual([]);
    });

    test("tryAcquire() takes it only if it is free", async () => {
      const lock = createLock(client, freshName());
      const held = await lock.tryAcquire();
      expect(held?.held).toBe(true);
      expect(await lock.tryAcquire()).toBeUndefined();
      await held?.release();
      await (await lock.tryAcquire())?.release();
      expect((await lock.inspect()).waiters).toEqual([]);
    });

    test("stops waiting after waitMs, or when told to, and leaves the queue", async () => {
      const lock = createLock(client, freshName());
      await using _held = await lock.acquire();
      await expect(lock.acquire({ waitMs: 50 })).rejects.toMatchObject({ code: "TIMEOUT" });
      const abort = new AbortController();
      const waiting = lock.acquire({ signal: abort.signal });
      while ((await lock.inspect()).waiters.length === 0);
      abort.abort(new Error("enough"));
      await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
      expect((await lock.inspect()).waiters).toEqual([]);
    });

    test("run() releases it when the task fails, and the error stays", async () => {
      const lock = createLock(client, freshName());
      const failing = lock.run(async () => {
        throw new Error("the task failed");
      });
      await expect(failing).rejects.toThrow("the task failed");
      expect((await lock.inspect()).holder).toBeUndefined();
    });

    test("T15: refuses the write of a holder that has lost it, and changes nothing", async () => {
      const lock = createLock(client, freshName());
      const stale = await lock.acquire();
      await loseLease(client, stale);
      const current = await lock.acquire();
      expect(current.fence).toBeGreaterThan(stale.fence);
      await current.txn([op.put("guarded", "current")]);
      await expect(stale.txn([op.put("guarded", "stale")])).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
      expect(await client.getString("guarded")).toBe("current");
      await current.release();
    });

    test("T16: a waiter whose own lease ends while it waits never holds it", async () => {
      const lock = createLock(client, freshName());
      const held = await lock.acquire();
      const waiting = lock.acquire().then(
        () => "held",
        (error: unknown) => (isConclaveError(error) ? error.code : "other"),
      );
      while ((await lock.inspect()).waiters.length === 0);
      const [waiter] = (await lock.inspect()).waiters;
      await client.lease.revoke(waiter?.lease ?? 0n);
      expect(["OWNERSHIP_LOST", "SESSION_LOST"]).toContain(await waiting);
      await held.release();
      expect((await lock.inspect()).holder).toBeUndefined();
    });

    test("T17: releasing after a loss takes nothing from the next holder", async () => {
      const lock = createLock(client, freshName());
      const stale = await lock.acquire();
      await loseLease(client, stale);
      const current = await lock.acquire();
      await stale.release();
      expect((await lock.inspect()).holder?.fence).toBe(current.fence);
      await current.release();
    });

    test("T12: says that it is no longer held as soon as it is released", async () => {
      const lock = createLock(client, freshName());
      const held = await lock.acquire();
      expect(held.held).toBe(true);
      expect(held.remainingMs).toBeGreaterThan(0);
      await held.release();
      expect([held.held, held.remainingMs, held.signal.aborted]).toEqual([false, 0, true]);
      expect(() => held.assertHeld()).toThrow(expect.objectContaining({ code: "CLOSED" }));
    });

    test("two tasks of one process exclude each other", async () => {
      const lock = createLock(client, freshName());
      let inside = 0;
      const most = await Promise.all(
        Array.from({ length: 5 }, () =>
          lock.run(async () => {
            inside += 1;
            const seen = inside;
            await client.get("anything");
            inside -= 1;
            return seen;
          }),
        ),
      );
      expect(Math.max(...most)).toBe(1);
    });

    test("a reentrant lock is taken again inside of its task, and released with the last of its holds", async () => {
      const lock = createLock(client, freshName(), { reentrant: true });
      await lock.run(async (outer) => {
        const inner = await lock.acquire();
        expect(inner.fence).toBe(outer.fence);
        await lock.run(async (innermost) => expect(innermost.fence).toBe(outer.fence));
        expect((await lock.tryAcquire())?.fence).toBe(outer.fence);
        await inner.release();
        await inner.release();
        expect([inner.held, outer.held]).toEqual([false, true]);
        expect(() => inner.assertHeld()).toThrow(expect.objectContaining({ code: "CLOSED" }));
      });
      // The hold that was tried and not given back keeps it.
      expect((await lock.inspect()).holder).toBeDefined();
      expect(await lock.tryAcquire()).toBeUndefined();
    });

    test("a reentrant lock excludes other tasks, and those that its own has left behind", async () => {
      const lock = createLock(client, freshName(), { reentrant: true });
      let leftBehind: Promise<number> = Promise.resolve(0);
      const released = new AbortController();
      const first = await lock.run(async ({ fence }) => {
        leftBehind = new Promise((resolve) => {
          released.signal.addEventListener("abort", () => resolve(lock.run(async (held) => held.fence)));
        });
        return fence;
      });
      await using other = await lock.acquire();
      released.abort();
      await other.release();
      expect(await leftBehind).toBeGreaterThan(first);
    });

    test("a reentrant lock that is lost cannot be taken again by the task that had it", async () => {
      const lock = createLock(client, freshName(), { reentrant: true, ttlSec: 2 });
      await lock.run(async (held) => {
        await loseLease(client, held);
        await held.ended;
        await expect(lock.acquire()).rejects.toMatchObject({ code: "SESSION_LOST" });
      });
    });

    test("a holder hears that it is asked to give way, by promise, event and iteration, and later ones do not", async () => {
      const name = freshName();
      const lock = createLock(client, name, { holder: "impatient" });
      expect(await lock.requestRelease()).toBeUndefined();
      const held = await createLock(client, name).acquire();
      const asked = await lock.requestRelease({ reason: "maintenance" });
      expect(asked?.fence).toBe(held.fence);
      const request = { by: "impatient", host: hostname(), reason: "maintenance" };
      expect(await held.releaseRequested).toEqual(request);
      for await (const each of held.releaseRequests()) {
        expect(each).toEqual(request);
        break;
      }
      const told = new Promise((resolve) => held.once("releaseRequested", resolve));
      await lock.requestRelease({ reason: "again" });
      expect(await told).toMatchObject({ reason: "again" });
      const next = lock.acquire();
      await held.release();
      const { releaseRequested, release } = await next.then((each) => ({
        releaseRequested: each.releaseRequested,
        release: () => each.release(),
      }));
      await release();
      expect(await releaseRequested).toBeUndefined();
      expect(await client.range(prefix(`${name}.`))).toMatchObject({ count: 0 });
    });

    test("with a delay it waits after a holder that was lost, and not after one that has released it", async () => {
      const name = freshName();
      const lock = createLock(client, name, { lockDelayMs: 60_000 });
      await (await lock.acquire()).release();
      const lost = await lock.acquire();
      await loseLease(client, lost);
      // Its task hears of it, ends early and releases what it has no longer; what it has sent elsewhere is under way still.
      await lost.ended;
      await lost.release();
      expect(await lock.tryAcquire()).toBeUndefined();
      await expect(lock.acquire({ waitMs: 100 })).rejects.toMatchObject({ code: "TIMEOUT" });
      const mark = await client.get(`${name}.held`);
      expect(mark?.valueString).toBe(`${lost.fence}`);
      const waiting = lock.acquire();
      while ((await lock.inspect()).holder === undefined);
      await client.lease.revoke(mark?.lease ?? 0n);
      const next = await waiting;
      expect(next.held).toBe(true);
      await next.release();
      expect(await client.get(`${name}.held`)).toBeUndefined();
    });

    test("may be released twice", async () => {
      const name = freshName();
      const held = await createLock(client, name).acquire();
      await held.release();
      await held.release();
      expect((await createLock(client, name).inspect()).holder).toBeUndefined();
    });

    test("namespaces keep locks of the same name apart", async () => {
      const name = freshName();
      await using _one = await createLock(client.namespace("one/"), name).acquire();
      const other = await createLock(client.namespace("two/"), name).tryAcquire();
      expect(other?.held).toBe(true);
      await other?.release();
    });

    test.skipIf(absent ?? backEnds()[1]?.absent)("excludes etcdctl lock, and is excluded by it", async () => {
      const name = freshName();
      const held = await createLock(client, name).acquire();
      const etcdctl = spawn("etcdctl", ["--endpoints", member.endpoint, "lock", name], {
        env: { PATH: process.env.PATH, ETCDCTL_API: "3" },
        stdio: ["ignore", "pipe", "ignore"],
      });
      const ended = once(etcdctl, "exit");
      const lock = createLock(client, name);
      while ((await lock.inspect()).waiters.length === 0);
      await held.release();
      const [line] = await once(etcdctl.stdout, "data");
      expect(String(line)).toContain(name);
      expect(await lock.tryAcquire()).toBeUndefined();
      etcdctl.kill("SIGTERM");
      await ended;
      await (await lock.acquire()).release();
    });
  });
});

describe("createLock()", () => {
  test.each([
    ["", {}, "must not be empty"],
    ["a", { ttlSec: 0 }, "ttlSec"],
    ["a", { ttlsec: 5 }, "ttlsec"],
    ["a", { lockDelayMs: -1 }, "lockDelayMs"],
    ["a", { reentrant: 1 }, "reentrant"],
  ])("refuses %j %j", async (name, options, message) => {
    expect(() => createLock(undefined as never, name, options as unknown as LockOptions)).toThrow(message);
  });
});
