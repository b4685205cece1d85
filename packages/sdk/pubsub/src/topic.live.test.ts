import { setTimeout as sleep } from "node:timers/promises";
import { type Client, compare, connect, op, takeOwnership } from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTopic, type Delivery, inspectTopic, listTopics, subscribeTopics } from "./index.ts";

let counter = 0;
const freshName = (): string => `topic-${counter++}`;

async function take<M>(messages: AsyncIterable<Delivery<M>>, count: number): Promise<M[]> {
  const taken: M[] = [];
  if (count === 0) return taken;
  for await (const { message } of messages) if (taken.push(message) === count) break;
  return taken;
}

describe.each(backEnds())("a topic on $name", ({ absent, start }) => {
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

    test("brings what is published from now on, in order", async () => {
      const topic = createTopic<number>(client, freshName());
      await topic.publish(0);
      const messages = topic.subscribe();
      const taken = take(messages, 3);
      await client.get("so that the subscription stands");
      for (const message of [1, 2, 3]) await topic.publish(message);
      expect(await taken).toEqual([1, 2, 3]);
    });

    test("is listed by name, and shows its messages and how far subscribers came", async () => {
      const prefix = "listed/";
      const topic = createTopic<number>(client, "orders", { prefix });
      for (const message of [1, 2, 3]) await topic.publish(message, { id: `m${message}` });
      await createTopic<number>(client, "orders-eu", { prefix }).publish(1);
      await client.put("listed/orders-beside", "of no topic");
      for await (const delivery of topic.subscription("billing").messages()) {
        await delivery.ack();
        break;
      }
      const names: string[] = [];
      for await (const name of listTopics(client, { prefix })) names.push(name);
      expect(names).toEqual(["orders-eu", "orders"]);
      const state = await inspectTopic(client, "orders", { prefix });
      expect(state).toMatchObject({ name: "orders", messages: 3, oldest: { id: "m1" }, newest: { id: "m3" } });
      expect(state.subscriptions).toEqual([{ name: "billing", position: state.oldest?.position, behind: 2 }]);
      expect(await inspectTopic(client, "none")).toMatchObject({ messages: 0, oldest: undefined, subscriptions: [] });
    });

    test("replays from the beginning or from a position, then goes on live", async () => {
      const topic = createTopic<number>(client, freshName());
      const positions: number[] = [];
      for (const message of [1, 2, 3]) positions.push((await topic.publish(message)).position);
      const earliest = take(topic.subscribe({ from: "earliest" }), 5);
      const later = take(topic.subscribe({ from: positions[0] ?? 0 }), 4);
      for (const message of [4, 5]) await topic.publish(message);
      expect(await earliest).toEqual([1, 2, 3, 4, 5]);
      expect(await later).toEqual([2, 3, 4, 5]);
    });

    test("replays more than a page, and transactions of several messages whole", async () => {
      const topic = createTopic<number>(client, freshName());
      const count = 600;
      for (let at = 0; at < count; at += 100) {
        const batch = Array.from({ length: 100 }, (_, offset) => at + offset);
        await client
          .txn()
          .then(...batch.map((message) => topic.op(message, { id: String(message).padStart(6, "0") })))
          .commit();
      }
      expect(await take(topic.subscribe({ from: "earliest" }), count)).toEqual(
        Array.from({ length: count }, (_, at) => at),
      );
    });

    test("a subscriber that was away replays what it missed", async () => {
      const topic = createTopic<string>(client, freshName());
      await topic.publish("first");
      for await (const delivery of topic.subscription("mailer").messages()) {
        await delivery.ack();
        break;
      }
      await topic.publish("missed");
      await topic.publish("missed too");
      expect(await take(topic.subscription("mailer").messages(), 2)).toEqual(["missed", "missed too"]);
    });

    test("what is not acknowledged is delivered again", async () => {
      const topic = createTopic<string>(client, freshName());
      await topic.publish("once");
      expect(await take(topic.subscription("mailer").messages(), 1)).toEqual(["once"]);
      expect(await take(topic.subscription("mailer").messages(), 1)).toEqual(["once"]);
    });

    test("of two consumers of one subscription only one can acknowledge", async () => {
      const topic = createTopic<string>(client, freshName());
      await topic.publish("message");
      const [one, two] = [topic.subscription("mailer").messages(), topic.subscription("mailer").messages()];
      const [first, second] = [await one.next(), await two.next()];
      if (first.done === true || second.done === true) throw new Error("no message");
      await first.value.ack();
      await expect(second.value.ack()).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
      await Promise.all([one.return(), two.return()]);
    });

    test("T18: publishing an id again publishes once", async () => {
      const topic = createTopic<string>(client, freshName());
      const first = await topic.publish("message", { id: "order-7" });
      const again = await topic.publish("message", { id: "order-7" });
      expect(again).toEqual({ ...first, isDuplicate: true });
      await topic.publish("end");
      expect(await take(topic.subscribe({ from: "earliest" }), 2)).toEqual(["message", "end"]);
    });

    test("publishes together with other writes, or not at all", async () => {
      const topic = createTopic<string>(client, freshName());
      const key = `${freshName()}/state`;
      const publish = (message: string, version: number) =>
        client.txn().if(compare.version(key).equal(version)).then(op.put(key, message), topic.op(message)).commit();
      expect((await publish("created", 0)).succeeded).toBe(true);
      expect((await publish("refused", 0)).succeeded).toBe(false);
      expect((await publish("changed", 1)).succeeded).toBe(true);
      expect(await take(topic.subscribe({ from: "earliest" }), 2)).toEqual(["created", "changed"]);
    });

    test("T3: compaction takes no message from a subscriber", async () => {
      const topic = createTopic<number>(client, freshName());
      for (const message of [1, 2]) await topic.publish(message);
      const { position } = await topic.publish(3);
      await client.compact(position);
      expect(await take(topic.subscribe({ from: "earliest" }), 3)).toEqual([1, 2, 3]);
    });

    test("trim() deletes the oldest messages and keeps the newest", async () => {
      const topic = createTopic<number>(client, freshName());
      for (let message = 0; message < 12; message++) await topic.publish(message);
      expect(await topic.trim({ keep: 3 })).toBe(9);
      expect(await topic.trim({ keep: 3 })).toBe(0);
      expect(await take(topic.subscribe({ from: "earliest" }), 3)).toEqual([9, 10, 11]);
    });

    test("acknowledges one message of several that one transaction published, and no more", async () => {
      const topic = createTopic<number>(client, freshName());
      const ops = [1, 2, 3].map((message) => topic.op(message, { id: `m${message}` }));
      await client
        .txn()
        .then(...ops)
        .commit();
      for await (const delivery of topic.subscription("mailer").messages()) {
        await delivery.ack();
        break;
      }
      expect(await take(topic.subscription("mailer").messages(), 2)).toEqual([2, 3]);
    });

    test("publishes under the fence of a lock, or not at all", async () => {
      const topic = createTopic<string>(client, freshName());
      await using ownership = await takeOwnership(client, freshName());
      const { responses } = await ownership.txn([topic.op("in a transaction")]);
      const direct = await topic.publish("directly", { guards: [ownership.guard] });
      expect(direct.position).toBeGreaterThan(responses[0].position);
      await ownership.release();
      await expect(topic.publish("late", { guards: [ownership.guard] })).rejects.toMatchObject({
        code: "OWNERSHIP_LOST",
      });
      expect((await inspectTopic(client, topic.name)).messages).toBe(2);
    });

    test("tells headers and the time, and replays from a time", async () => {
      const topic = createTopic<number>(client, freshName());
      await topic.publish(1);
      await sleep(5);
      const from = new Date();
      await topic.publish(2, { headers: { trace: "7f" } });
      await topic.publish(3);
      const messages = topic.subscribe({ from });
      const first = await messages.next();
      expect(first.value).toMatchObject({ topic: topic.name, message: 2, headers: { trace: "7f" } });
      expect(first.value?.publishedAtMs).toBeGreaterThanOrEqual(from.getTime());
      expect(await take(messages, 1)).toEqual([3]);
      const later = take(topic.subscribe({ from: new Date(Date.now() + 60_000) }), 1);
      await client.get("so that the subscription stands");
      await topic.publish(4);
      expect(await later).toEqual([4]);
    });

    test("one subscription brings the topics of a pattern in one order, replayed and live", async () => {
      const prefix = `${freshName()}/`;
      const publish = (name: string, message: number) =>
        createTopic<number>(client, name, { prefix })
          .publish(message)
          .then(({ position }) => position);
      await publish("orders", 0);
      await publish("orders.eu", 1);
      await publish("orders.eu.paid", 2);
      const last = await publish("orders.us", 3);
      await client.put(`${prefix}orders.us/subscriptions/mailer`, "beside the messages");
      await publish("ordersx.us", 4);
      await client.compact(last);
      const one = take(subscribeTopics<number>(client, "orders.*", { prefix, from: "earliest" }), 3);
      const all = take(subscribeTopics<number>(client, "orders.>", { prefix, from: "earliest" }), 5);
      const tail = take(subscribeTopics<number>(client, "*.us", { prefix, from: "earliest" }), 2);
      await publish("orders.uk", 5);
      await publish("orders.uk.paid", 6);
      expect(await one).toEqual([1, 3, 5]);
      expect(await all).toEqual([1, 2, 3, 5, 6]);
      expect(await tail).toEqual([3, 4]);
    });

    test("publishes a delayed message when it is due and somebody is there", async () => {
      const topic = createTopic<string>(client, freshName());
      const dueAt = new Date(Date.now() + 300);
      await topic.publishLater("later", { dueAt, id: "one" });
      await topic.publishLater("later", { dueAt, id: "one" });
      await topic.publishLater("next year", { dueAt: new Date(Date.now() + 366 * 86_400_000) });
      expect(await inspectTopic(client, topic.name)).toMatchObject({ messages: 0, delayed: 2 });
      const messages = topic.subscribe({ from: "earliest" });
      const first = await messages.next();
      expect(Date.now()).toBeGreaterThanOrEqual(dueAt.getTime());
      expect(first.value).toMatchObject({ id: "one", message: "later", publishedAtMs: dueAt.getTime() });
      await messages.return();
      await topic.publishLater("overdue", { dueAt: new Date(0) });
      expect(await topic.moveDue()).toBe(1);
      expect(await topic.moveDue()).toBe(0);
      expect(await inspectTopic(client, topic.name)).toMatchObject({ messages: 2, delayed: 1 });
    });

    test("keeps no more messages, bytes and age than its retention says, an eighth aside", async () => {
      const many = createTopic<number>(client, freshName(), { retention: { maxMessages: 16 } });
      for (let message = 0; message < 60; message++) await many.publish(message);
      expect((await inspectTopic(client, many.name)).messages).toBeLessThanOrEqual(18);
      expect(await many.collect()).toBeLessThanOrEqual(2);
      expect(await take(many.subscribe({ from: "earliest" }), 16)).toEqual(
        Array.from({ length: 16 }, (_, at) => 44 + at),
      );

      const large = createTopic<string>(client, freshName(), { retention: { maxBytes: 20_000 } });
      for (let message = 0; message < 40; message++) await large.publish("x".repeat(1_000));
      await large.collect();
      expect((await inspectTopic(client, large.name)).messages).toBeLessThan(20);
      expect((await inspectTopic(client, large.name)).messages).toBeGreaterThan(15);

      const old = createTopic<number>(client, freshName(), { retention: { maxAgeMs: 60_000 } });
      await old.publishLater(1, { dueAt: new Date(Date.now() - 120_000) });
      await old.moveDue();
      await old.publish(2);
      await old.collect();
      expect(await take(old.subscribe({ from: "earliest" }), 1)).toEqual([2]);
    });

    test("a slow subscriber loses nothing, however little may wait for it", async () => {
      const topic = createTopic<number>(client, freshName());
      const messages = topic.subscribe({ bufferMessages: 1 });
      const taken = take(messages, 20);
      await client.get("so that the subscription stands");
      let position = 0;
      for (let message = 0; message < 20; message++) ({ position } = await topic.publish(message));
      await client.compact(position);
      expect(await taken).toEqual(Array.from({ length: 20 }, (_, at) => at));
    });

    test("a subscription ends when it is told to", async () => {
      const topic = createTopic<number>(client, freshName());
      const abort = new AbortController();
      const ended = take(topic.subscribe({ signal: abort.signal }), 1);
      await client.get("so that the subscription stands");
      abort.abort();
      expect(await ended).toEqual([]);
    });

    test("a message that cannot be decoded is an error, not a message", async () => {
      const name = freshName();
      const topic = createTopic<number>(client, name);
      await client.put(`topics/${name}/messages/bad`, "no message");
      await expect(take(topic.subscribe({ from: "earliest" }), 1)).rejects.toMatchObject({ code: "DATA_LOSS" });
    });
  });
});

test.each(["", "a/b", "a b", "a.*", "a.>"])("createTopic() refuses the name %j", (name) => {
  expect(() => createTopic({} as never, name)).toThrow("name of a topic");
});

test.each(["orders*", "a.>.b", "", "a/>"])("subscribeTopics() refuses the pattern %j", (pattern) => {
  expect(() => subscribeTopics({} as never, pattern)).toThrow("pattern of topics");
});
