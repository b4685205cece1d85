import { connect } from "@conclave/client";
import { createTopic } from "@conclave/pubsub";
import { expectThat, type Stage } from "../stage.ts";

/** A subscriber leaves, messages are published, and it replays what it missed. */
export async function showPubsub(stage: Stage): Promise<void> {
  await using client = await connect({ endpoints: [stage.endpoint] });
  const topic = createTopic<string>(client, "mail");
  stage.tell("A subscriber takes one message and goes away. Two more are published meanwhile.");
  const before = stage.startRole("mailer", "mailer", "1");
  await topic.publish("one");
  await before.line(/goes away/);
  await topic.publish("two");
  await topic.publish("three");
  stage.tell("It comes back. Watch it get what it missed, once and in order.");
  const after = stage.startRole("mailer", "mailer", "2");
  await after.line(/goes away/);
  const got = after.said(/^got/).map((line) => /"(.*)"/.exec(line)?.[1]);
  expectThat(got.join() === "two,three", `the mailer got two and three, and it got ${got.join()}`);
}
