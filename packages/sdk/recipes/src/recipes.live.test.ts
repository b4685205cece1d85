import { type Client, connect } from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createBarrier,
  createCounter,
  createDelayQueue,
  createDoubleBarrier,
  createMembership,
  createPriorityQueue,
  createQueue,
  createRateLimiter,
  type MembershipChange,
} from "./index.ts";

let counter = 0;
const freshName = (): string => `recipes/${counter++}`;

describe.each(backEnds())("recipes on $name", ({ absent, start }) => {
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

    test("a barrier holds everybody back until its holder opens it or dies", async () => {
      const barrier = createBarrier(client, freshName());
      await barrier.wait();
      const held = await barrier.hold();
      await expect(barrier.hold()).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
      await expect(barrier.wait({ timeoutMs: 20 })).rejects.toMatchObject({ code: "TIMEOUT" });
      const waiting = Promise.all([barrier.wait(), barrier.wait()]);
      await held.release();
      await waiting;
      expect(held.held).toBe(false);

      const doomed = await connect({ endpoints: [member.endpoint] });
      const key = freshName();
      await createBarrier(doomed, key).hold();
      const freed = createBarrier(client, key).wait();
      await doomed.close();
      await freed;
    });

    test("participants of a double barrier enter together and leave together, round after round", async () => {
      const barrier = createDoubleBarrier(client, freshName(), { count: 3 });
      const events: string[] = [];
      const take = async (who: string) => {
        const inside = await barrier.enter();
        events.push("in", who, "leaves");
        await inside.leave();
        events.push("is out");
      };
      const first = take("a");
      await expect(barrier.enter({ timeoutMs: 100 })).rejects.toMatchObject({ code: "TIMEOUT" });
      expect(events).toEqual([]);
      await Promise.all([first, take("b"), take("c")]);
      expect(events.lastIndexOf("in")).toBeLessThan(events.indexOf("is out"));
      // Six at once are two rounds of three.
      events.length = 0;
      await Promise.all(["d", "e", "f", "g", "h", "i"].map(take));
      let inside = 0;
      for (const event of events) {
        inside += event === "in" ? 1 : event === "leaves" ? -1 : 0;
        expect(inside).toBeLessThanOrEqual(3);
      }
      expect(events.filter((event) => event === "is out")).toHaveLength(6);
    });

    test("a queue gives each item to one of those who wait, in the order of arrival", async () => {
      const queue = createQueue<number>(client, freshName());
      expect(await queue.tryDequeue()).toBeUndefined();
      const early = queue.dequeue();
      for (const item of [1, 2, 3, 4]) await queue.enqueue(item);
      expect(await early).toBe(1);
      expect(await queue.size()).toBe(3);
      expect([await queue.dequeue(), await queue.tryDequeue()]).toEqual([2, 3]);
      const rest = await Promise.all([1, 2].map(() => queue.dequeue({ timeoutMs: 1_000 }).catch(({ code }) => code)));
      expect(new Set(rest)).toEqual(new Set([4, "TIMEOUT"]));
    });

    test("a priority queue gives the most urgent first, and a delay queue what is due", async () => {
      const urgent = createPriorityQueue<string>(client, freshName());
      await urgent.enqueue("later", { priority: 10 });
      await urgent.enqueue("soon", { priority: 9 });
      await urgent.enqueue("soon too", { priority: 9 });
      await urgent.enqueue("now", { priority: 0 });
      const order = [];
      for (let at = 0; at < 4; at++) order.push(await urgent.dequeue());
      expect(order).toEqual(["now", "soon", "soon too", "later"]);
      await expect(urgent.enqueue("never", { priority: -1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });

      const delayed = createDelayQueue<string>(client, freshName());
      const dueAt = new Date(Date.now() + 200);
      await delayed.enqueue("next year", { dueAt: new Date(Date.now() + 366 * 86_400_000) });
      await delayed.enqueue("soon", { dueAt });
      expect(await delayed.tryDequeue()).toBeUndefined();
      expect(await delayed.dequeue()).toBe("soon");
      expect(Date.now()).toBeGreaterThanOrEqual(dueAt.getTime());
      const overdue = delayed.dequeue();
      await delayed.enqueue("overdue", { dueAt: new Date(0) });
      expect(await overdue).toBe("overdue");
      expect(await delayed.size()).toBe(1);
    });

    test("a counter counts what many add at once", async () => {
      const key = freshName();
      const adders = Array.from({ length: 4 }, () => createCounter(client, key));
      const sums = await Promise.all(adders.flatMap((adder) => [adder.add(1), adder.add(2), adder.add(-1)]));
      expect(new Set(sums).size).toBeGreaterThan(1);
      expect(await adders[0]?.get()).toBe(8);
      await expect(adders[0]?.add(Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({ code: "OUT_OF_RANGE" });
      await client.put(key, "by hand");
      await expect(adders[0]?.get()).rejects.toMatchObject({ code: "DATA_LOSS" });
    });

    test("a membership tells who is there, who comes and who goes", async () => {
      const name = freshName();
      const group = createMembership<{ role: string }>(client, name);
      const changes = group.watch();
      const next = async (): Promise<MembershipChange<{ role: string }>> => {
        const { value } = await changes.next();
        if (value === undefined) throw new Error("the watch ended");
        return value;
      };
      expect((await next()).members.size).toBe(0);
      const a = await group.join("a", { role: "worker" });
      expect((await next()).joined).toMatchObject([{ id: "a", value: { role: "worker" } }]);
      await using thief = await connect({ endpoints: [member.endpoint] });
      const taken = createMembership(thief, name).join("a", { role: "thief" });
      await expect(taken).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
      await a.update({ role: "chief" });
      expect((await next()).updated).toMatchObject([{ id: "a", value: { role: "chief" } }]);
      await using _b = await group.join("b", { role: "worker" });
      expect([...(await next()).members.keys()]).toEqual(["a", "b"]);
      expect((await group.members()).map(({ id }) => id)).toEqual(["a", "b"]);
      await a.leave();
      expect((await next()).left).toMatchObject([{ id: "a" }]);
      expect(a.signal.aborted).toBe(true);
      await expect(a.update({ role: "ghost" })).rejects.toMatchObject({ code: "CLOSED" });
      await changes.return();
    });

    test("a member joins again when its lease is lost", async () => {
      const group = createMembership<string>(client, freshName(), { ttlSec: 20 });
      await using _a = await group.join("a", "here");
      const changes = group.watch();
      await changes.next();
      for (const lease of await client.lease.list()) await client.lease.revoke(lease).catch(() => {});
      expect((await changes.next()).value?.left).toMatchObject([{ id: "a" }]);
      expect((await changes.next()).value?.joined).toMatchObject([{ id: "a", value: "here" }]);
      await changes.return();
    });

    test("a rate limiter lets a burst through, then the rate, for all who share it", async () => {
      const name = freshName();
      const [one, two] = [0, 1].map(() => createRateLimiter(client, name, { limit: 10, periodMs: 60_000, burst: 3 }));
      const decisions = [];
      for (const limiter of [one, two, one, two, one]) decisions.push(await limiter?.tryTake("user"));
      expect(decisions.map((decision) => decision?.isAllowed)).toEqual([true, true, true, false, false]);
      expect(decisions.map((decision) => decision?.remaining)).toEqual([2, 1, 0, 0, 0]);
      expect(decisions[4]?.retryAfterMs).toBeGreaterThan(4_000);
      expect((await one?.tryTake("another user"))?.isAllowed).toBe(true);
      expect((await one?.tryTake("user", { cost: 4 }))?.retryAfterMs).toBe(Number.POSITIVE_INFINITY);
      await expect(one?.take("user", { cost: 4 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      await expect(one?.take("user", { timeoutMs: 20 })).rejects.toMatchObject({ code: "TIMEOUT" });

      const fast = createRateLimiter(client, freshName(), { limit: 1, periodMs: 50 });
      for (let at = 0; at < 3; at++) await fast.take("user");
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect(await fast.sweep()).toBe(1);
      expect(await fast.sweep()).toBe(0);
    });
  });
});
