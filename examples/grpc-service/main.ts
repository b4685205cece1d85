/** @module A gRPC service whose instances come and go under a channel that is opened once. */
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "@conclave/client";
import { createRegistry, type Registration } from "@conclave/registry";
import { registerConclaveResolver } from "@conclave/registry-grpc";
import { startMember } from "@conclave/testkit";
import * as grpc from "@grpc/grpc-js";
import { callGreeter, serveGreeter } from "./greeter.ts";

const patienceMs = 20_000;

await using member = await startMember();
await using client = await connect({ endpoints: [member.endpoint] });
const registry = createRegistry(client, { ttlSec: 5 });

/** Serves, and is found. */
async function startInstance(id: string): Promise<Registration & { readonly stop: () => Promise<void> }> {
  const { address, stop } = await serveGreeter(id);
  const registration = await registry.register(
    { service: "greeter", id, addresses: { grpc: address } },
    { graceMs: 300 },
  );
  return Object.assign(registration, { stop });
}

const greetings: string[] = [];
/** Calls until exactly these instances answer; a call that fails is the end. */
async function answeredBy(what: string, ...ids: readonly string[]): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    const answers = await Promise.all(ids.map(() => callGreeter(channel, { name: "Ada" })));
    greetings.push(...answers.map(({ text }) => text));
    const by = new Set(answers.map((answer) => answer.by));
    if (by.size === ids.length && ids.every((id) => by.has(id))) break;
    if (performance.now() > deadlineMs) throw new Error(`It did not come about that ${what}`);
    await sleep(20);
  }
  console.log(`  ${what}`);
}

const one = await startInstance("one");
const two = await startInstance("two");
registerConclaveResolver(registry);
const channel = new grpc.Client("conclave:///greeter", grpc.credentials.createInsecure());

console.log("1. One channel, two instances, no address");
await answeredBy("both greet in turn", "one", "two");

console.log("2. A third instance comes");
const three = await startInstance("three");
await answeredBy("three greet", "one", "two", "three");

console.log("3. One drains, and stops when nobody calls it any more");
await one.drain();
await one.stop();
await answeredBy("two greet", "two", "three");

console.log("4. The member that holds the registry restarts");
const restarted = member.restart();
await answeredBy("the same two greet meanwhile", "two", "three");
await restarted;
const four = await startInstance("four");
await answeredBy("an instance that comes after it is found", "two", "three", "four");

channel.close();
for (const instance of [two, three, four]) {
  await instance.deregister();
  await instance.stop();
}
console.log(`\nAll 4 steps did what they said, and none of ${greetings.length} calls failed.`);
