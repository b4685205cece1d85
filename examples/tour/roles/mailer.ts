// A durable subscriber: prints messages, acknowledges them, and leaves after so many.
import { connect } from "@conclave/client";
import { createTopic } from "@conclave/pubsub";

const [endpoint = "", count = ""] = process.argv.slice(2);
await using client = await connect({ endpoints: [endpoint] });
const subscription = createTopic<string>(client, "mail").subscription("mailer");
let left = Number(count);
for await (const delivery of subscription.messages()) {
  console.log(`got "${delivery.message}" at position ${delivery.position}`);
  await delivery.ack();
  left -= 1;
  if (left === 0) break;
}
console.log("goes away");
