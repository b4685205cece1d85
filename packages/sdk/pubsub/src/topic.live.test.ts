import { type Client, compare, connect, op } from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTopic, type Delivery } from "./index.ts";

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
          .then(...batch.map((message) => topic.publishOp(message, { id: String(message).padStart(6, "0") })))
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
      expect(again).toEqual(first);
      await topic.publish("end");
      expect(await take(topic.subscribe({ from: "earliest" }), 2)).toEqual(["message", "end"]);
    });

    test("publishes together with other writes, or not at all", async () => {
      const topic = createTopic<string>(client, freshName());
      const key = `${freshName()}/state`;
      const publish = (message: string, version: number) =>
        client
          .txn()
          .if(compare.version(key).equal(version))
          .then(op.put(key, message), topic.publishOp(message))
          .commit();
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
      await client.put(`topics/${name}/messages/bad`, "not json");
      await expect(take(topic.subscribe({ from: "earliest" }), 1)).rejects.toMatchObject({ code: "DATA_LOSS" });
    });
  });
});

test.each(["", "a/b", "a b"])("createTopic() refuses the name %j", (name) => {
  expect(() => createTopic({} as never, name)).toThrow("name of a topic");
});
