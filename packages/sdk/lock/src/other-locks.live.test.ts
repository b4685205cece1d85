import { type Client, connect, op } from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLock, createMultiLock, createReadWriteLock, createSemaphore, type HeldLock } from "./index.ts";

let counter = 0;
const freshName = (): string => `locks/${counter++}`;

/** Waits until so many wait. */
async function waiters(lock: { inspect(): Promise<{ waiters: readonly unknown[] }> }, count: number): Promise<void> {
  while ((await lock.inspect()).waiters.length !== count);
}

describe.each(backEnds())("on $name", ({ absent, start }) => {
  describe.skipIf(absent)(absent ?? "locks of other kinds", { timeout: 30_000 }, () => {
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

    describe("a read-write lock", () => {
      test("is held by many readers or one writer, and nobody is overtaken", async () => {
        const lock = createReadWriteLock(client, freshName());
        const readers = [await lock.read.acquire(), await lock.read.acquire()];
        const order: string[] = [];
        const enter = (name: string) => async (held: HeldLock) => {
          order.push(name);
          await client.get("anything");
          await held.release();
        };
        const writing = lock.write.acquire().then(enter("writer"));
        await waiters(lock, 1);
        // A reader that comes after a writer waits for it, or writers would wait for ever.
        const reading = lock.read.acquire().then(enter("reader"));
        await waiters(lock, 2);
        expect(await lock.read.tryAcquire()).toBeUndefined();
        const state = await lock.inspect();
        expect(state.holders.map(({ side }) => side)).toEqual(["read", "read"]);
        expect(state.waiters.map(({ side }) => side)).toEqual(["write", "read"]);
        for (const reader of readers) await reader.release();
        await Promise.all([writing, reading]);
        expect(order).toEqual(["writer", "reader"]);
        expect((await lock.inspect()).holders).toEqual([]);
      });

      test("refuses what a former writer writes, and asks all who hold it to give way", async () => {
        const lock = createReadWriteLock(client, freshName(), { holder: "w" });
        const stale = await lock.write.acquire();
        expect((await lock.requestRelease()).map(({ holder }) => holder)).toEqual(["w"]);
        expect(await stale.releaseRequested).toMatchObject({ by: "w" });
        expect((await lock.inspect()).holders).toMatchObject([{ side: "write", fence: stale.fence }]);
        await client.lease.revoke(stale.lease);
        await lock.read.run(async (reader) => {
          expect(reader.fence).toBeGreaterThan(stale.fence);
          await reader.txn([op.put("seen", "by a reader")]);
          await expect(stale.txn([op.put("seen", "stale")])).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
        });
      });
    });

    describe("a semaphore", () => {
      test("is held by as many as it has permits, in the order of arrival", async () => {
        const semaphore = createSemaphore(client, freshName(), { permits: 2 });
        const first = await semaphore.acquire();
        const second = await semaphore.acquire();
        expect(await semaphore.tryAcquire()).toBeUndefined();
        const order: string[] = [];
        const third = semaphore.acquire().then((held) => [order.push("third"), held] as const);
        await waiters(semaphore, 1);
        const fourth = semaphore.acquire().then((held) => [order.push("fourth"), held] as const);
        await waiters(semaphore, 2);
        await second.release();
        const [, thirdHeld] = await third;
        expect((await semaphore.inspect()).holders.map(({ fence }) => fence)).toEqual([first.fence, thirdHeld.fence]);
        await first.release();
        const [, fourthHeld] = await fourth;
        expect(order).toEqual(["third", "fourth"]);
        await Promise.all([thirdHeld.release(), fourthHeld.release()]);
      });

      test("lets in no more than its permits of many tasks, though waiters give up and leases end", async () => {
        const semaphore = createSemaphore(client, freshName(), { permits: 3 });
        let inside = 0;
        let most = 0;
        const work = Array.from({ length: 12 }, (_, at) =>
          semaphore
            .run(
              async ({ lease }) => {
                inside++;
                most = Math.max(most, inside);
                await client.get("anything");
                inside--;
                if (at % 4 === 0) await client.lease.revoke(lease);
              },
              at % 5 === 4 ? { waitMs: 1 } : {},
            )
            .then(
              () => 1,
              () => 0,
            ),
        );
        const done = (await Promise.all(work)).reduce<number>((sum, each) => sum + each, 0);
        expect(most).toBeLessThanOrEqual(3);
        expect(done).toBeGreaterThanOrEqual(10);
      });

      test("refuses to be held with another number of permits than others have", async () => {
        const name = freshName();
        await using _held = await createSemaphore(client, name, { permits: 2 }).acquire();
        const other = createSemaphore(client, name, { permits: 3 });
        await expect(other.acquire()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      });
    });

    describe("a multi-lock", () => {
      test("takes all of its locks or none, and excludes locks of each name", async () => {
        const names = [freshName(), freshName(), freshName()];
        const locks = createMultiLock(client, names);
        const [one = "", two = ""] = names;
        const held = await createLock(client, two).acquire();
        expect(await locks.tryAcquire()).toBeUndefined();
        expect((await createLock(client, one).inspect()).holder).toBeUndefined();
        const waiting = locks.acquire();
        await held.release();
        const all = await waiting;
        expect(all.fence).toBeGreaterThan(held.fence);
        for (const name of names) expect(await createLock(client, name).tryAcquire()).toBeUndefined();
        await all.txn([op.put("moved", "all")]);
        await all.release();
        await (await createLock(client, one).acquire()).release();
      });

      test("refuses a guarded write once one of its locks is lost", async () => {
        const locks = createMultiLock(client, [freshName(), freshName()]);
        await using all = await locks.acquire();
        await client.delete(all.keys[1] ?? "");
        await expect(all.txn([op.put("moved", "half")])).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
      });

      test("comes to no deadlock with others that take the same names in another order", async () => {
        const [one, two, three] = [freshName(), freshName(), freshName()];
        const orders = [
          [one, two],
          [two, three],
          [three, one],
          [three, two, one],
        ];
        let inside = 0;
        const most = await Promise.all(
          orders.map((names) =>
            createMultiLock(client, names).run(async () => {
              const seen = ++inside;
              await client.get("anything");
              inside--;
              return seen;
            }),
          ),
        );
        expect(Math.max(...most)).toBe(1);
      });
    });
  });
});

describe("what is refused", () => {
  const client = undefined as never;
  test.each([
    ["an empty name", () => createReadWriteLock(client, "")],
    ["no permits", () => createSemaphore(client, "a", { permits: 0 })],
    ["no names", () => createMultiLock(client, [])],
    ["a name twice", () => createMultiLock(client, ["a", "a"])],
    ["unknown options", () => createReadWriteLock(client, "a", { ttlsec: 5 } as never)],
  ])("is %s", (_, create) => {
    expect(create).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
