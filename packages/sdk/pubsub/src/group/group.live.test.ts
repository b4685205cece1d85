import { type Client, connect } from "@conclave/client";
import { type BackEndMember, backEnds } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTopic, type GroupDelivery, type GroupMember, inspectTopic } from "../index.ts";

let counter = 0;
const freshName = (): string => `group-${counter++}`;

async function next<M>(member: GroupMember<M>): Promise<GroupDelivery<M>> {
  for await (const delivery of member.messages()) return delivery;
  throw new Error("no message came");
}

describe.each(backEnds())("a consumer group on $name", ({ absent, start }) => {
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

    test("gives each message to one of its members, in the order of their arrival", async () => {
      const topic = createTopic<number>(client, freshName());
      const group = topic.group("workers");
      const count = 30;
      const order: number[] = [];
      const done = new AbortController();
      const work = async () => {
        await using worker = await group.join();
        await worker.process(
          async ({ message }) => {
            order.push(message);
            if (order.length === count) done.abort();
          },
          { signal: done.signal },
        );
      };
      const workers = [work(), work(), work()];
      for (let message = 0; message < count; message++) await topic.publish(message);
      await Promise.all(workers);
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, at) => at));
      const [state] = (await inspectTopic(client, topic.name)).groups;
      expect(state).toMatchObject({ name: "workers", behind: 0, pending: 0, members: 0 });
    });

    test("goes on where it was when the next member comes", async () => {
      const topic = createTopic<number>(client, freshName());
      for (const message of [1, 2, 3]) await topic.publish(message);
      {
        await using first = await topic.group("workers").join();
        await (await next(first)).ack();
      }
      await using second = await topic.group("workers").join();
      const delivery = await next(second);
      expect(delivery).toMatchObject({ message: 2, deliveries: 1 });
      await delivery.ack();
      expect((await inspectTopic(client, topic.name)).groups).toMatchObject([{ behind: 1, pending: 0, members: 1 }]);
    });

    test("gives what a member has in hand to the others when it leaves or dies", async () => {
      const topic = createTopic<string>(client, freshName());
      const group = topic.group("workers", { ttlSec: 1 });
      await topic.publish("job");
      const leaver = await group.join();
      expect((await next(leaver)).deliveries).toBe(1);
      const doomed = await connect({ endpoints: [member.endpoint] });
      await using survivor = await group.join();
      const heir = await createTopic<string>(doomed, topic.name).group("workers", { ttlSec: 1 }).join();
      await leaver.leave();
      expect((await next(heir)).deliveries).toBe(2);
      // Its lease ends without its leaving, as when a process is killed.
      await doomed.close();
      const third = await next(survivor);
      expect(third.deliveries).toBe(3);
      await third.ack();
    });

    test("hands a message out again when its time is over, unless more was asked for", async () => {
      const topic = createTopic<string>(client, freshName());
      const group = topic.group("workers", { visibilityMs: 400 });
      await using slow = await group.join();
      await using other = await group.join();
      await topic.publish("job");
      const first = await next(slow);
      await first.extend();
      const second = await next(other);
      expect(second).toMatchObject({ message: "job", deliveries: 2 });
      await expect(first.extend()).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
      await second.ack();
      await second.ack();
      expect(slow.inFlight + other.inFlight).toBe(0);
    });

    test("gives back what is refused, before what is new, and after its delay", async () => {
      const topic = createTopic<string>(client, freshName());
      await using worker = await topic.group("workers").join();
      await topic.publish("first");
      await topic.publish("second");
      await (await next(worker)).nack();
      const again = await next(worker);
      expect(again).toMatchObject({ message: "first", deliveries: 2 });
      await again.nack({ delayMs: 300 });
      const second = await next(worker);
      expect(second.message).toBe("second");
      await second.ack();
      expect(await next(worker)).toMatchObject({ message: "first", deliveries: 3 });
    });

    test("moves what is handed out too often, or cannot be read, to the dead letters", async () => {
      const topic = createTopic<string>(client, freshName());
      const group = topic.group("workers", { deadLetter: { maxDeliveries: 2 } });
      await using worker = await group.join();
      const letters: unknown[] = [];
      worker.on("deadLetter", (letter) => letters.push(letter));
      const { position } = await topic.publish("poison", { id: "p", headers: { trace: "7f" } });
      await client.put(`topics/${topic.name}/messages/unread`, '{"publishedAtMs":1}\nno JSON');
      await topic.publish("good");
      const failed = new AbortController();
      await worker.process(
        ({ message }) => {
          if (message === "poison") throw new Error("refused");
          failed.abort();
        },
        { retryDelayMs: 0, signal: failed.signal },
      );
      const dead = createTopic<string>(client, `${topic.name}.dead`).subscribe({ from: "earliest" });
      const { value: letter } = await dead.next();
      expect(letter).toMatchObject({ message: "poison", headers: { trace: "7f", "dead-letter-topic": topic.name } });
      expect(letter?.headers).toMatchObject({ "dead-letter-group": "workers", "dead-letter-deliveries": "2" });
      await expect(dead.next()).rejects.toMatchObject({ code: "DATA_LOSS" });
      expect(letters).toMatchObject([{ id: "p", position, deliveries: 2 }, { id: "unread" }]);
    });

    test("ends all its processing when a message cannot be read, after the handlers that run", async () => {
      const topic = createTopic<string>(client, freshName());
      await using worker = await topic.group("workers").join();
      const handled: string[] = [];
      let finish = (): void => {};
      const finished = new Promise<void>((resolve) => {
        finish = resolve;
      });
      const started = new Promise<void>((resolve) => worker.once("delivery", () => resolve()));
      const processing = worker.process(
        async ({ message }) => {
          await finished;
          handled.push(message);
        },
        { concurrency: 2 },
      );
      const ended = expect(processing).rejects.toMatchObject({ code: "DATA_LOSS" });
      await topic.publish("good");
      await started;
      await client.put(`topics/${topic.name}/messages/unread`, '{"publishedAtMs":1}\nno JSON');
      await expect.poll(() => worker.inFlight).toBe(2);
      await topic.publish("late");
      finish();
      await ended;
      expect(handled).toEqual(["good"]);
      await expect(worker.process(() => {}, { concurrency: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    });

    test("has no more in hand than it may", async () => {
      const topic = createTopic<number>(client, freshName());
      await using worker = await topic.group("workers", { maxInFlight: 2 }).join();
      for (const message of [1, 2, 3]) await topic.publish(message);
      const messages = worker.messages();
      const first = (await messages.next()).value;
      await messages.next();
      const third = messages.next();
      const early = await Promise.race([third, client.get("a round trip").then(() => "nothing")]);
      expect(early).toBe("nothing");
      expect(worker.inFlight).toBe(2);
      await first?.ack();
      expect((await third).value).toMatchObject({ message: 3 });
      await messages.return();
    });

    test("does not hand out again what retention deleted, and ends when it is removed", async () => {
      const topic = createTopic<number>(client, freshName());
      const group = topic.group("workers");
      await using worker = await group.join();
      await topic.publish(1);
      await (await next(worker)).nack();
      await topic.trim({ keep: 0 });
      await topic.publish(2);
      expect(await next(worker)).toMatchObject({ message: 2 });
      const ended = expect(next(worker)).rejects.toMatchObject({ code: "NOT_FOUND" });
      await group.remove();
      await ended;
    });
  });
});

test.each([{ visibilityMs: 0 }, { maxInFlight: 0 }, { deadLetter: { maxDeliveries: 0 } }, { from: -1 }])(
  "group() refuses the options %j",
  (options) => {
    expect(() =>
      createTopic({ ports: { clock: { monotonicMs: () => 0 }, random: { fraction: () => 0 } } } as never, "t").group(
        "g",
        options,
      ),
    ).toThrow("options of a consumer group");
  },
);
