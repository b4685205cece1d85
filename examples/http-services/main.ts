/** @module A shop that asks a catalog for its books, and a customer who does not notice what happens to either. */
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "@conclave/client";
import { createRegistry } from "@conclave/registry";
import { createServiceDispatcher } from "@conclave/registry-undici";
import { startMember } from "@conclave/testkit";
import { fetch } from "undici";
import { startInstance } from "./instance.ts";

const patienceMs = 20_000;

/** Waits until something holds, or fails saying what did not. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`It did not come about that ${what}`);
    await sleep(20);
  }
  console.log(`  ${what}`);
}

await using member = await startMember();
await using client = await connect({ endpoints: [member.endpoint] });
const registry = createRegistry(client);
const dispatcher = createServiceDispatcher(registry, { policy: "round-robin" });
const ask = async (url: string): Promise<string> => (await fetch(url, { dispatcher })).text();

const catalog = (id: string) =>
  startInstance(member.endpoint, { service: "catalog", id, answer: () => `twelve books, says ${id}` });
await using one = await catalog("one");
await using two = await catalog("two");
await using _shop = await startInstance(member.endpoint, {
  service: "shop",
  id: "only",
  answer: async (path) => `welcome to ${path}: ${await ask("http://catalog.service/books")}`,
});

const answers: string[] = [];
const failures: unknown[] = [];
const leaving = new AbortController();
const customer = (async () => {
  while (!leaving.signal.aborted) {
    await ask("http://shop.service/front").then(
      (answer) => answers.push(answer),
      (error: unknown) => failures.push(error),
    );
    await sleep(5);
  }
})();
/** Whether exactly these instances of the catalog have answered of late. */
const answeredBy = (...ids: readonly string[]): boolean => {
  const late = new Set(answers.slice(-4 * ids.length).map((answer) => answer.split(" says ")[1]));
  return late.size === ids.length && ids.every((id) => late.has(id));
};

console.log("1. A customer asks the shop, the shop asks the catalog, and nobody knows an address");
await until("both instances of the catalog answer in turn", () => answeredBy("one", "two"));

console.log("2. A third instance of the catalog comes");
await using three = await catalog("three");
await until("three instances answer", () => answeredBy("one", "two", "three"));

console.log("3. One drains: it says so first, and goes when its requests are done");
await one.drain();
await until("two instances answer", () => answeredBy("two", "three"));

console.log("4. One crashes: it is registered still, and nobody listens");
await two.crash();
await until("one instance answers, and connections that fail go to it", () => answeredBy("three"));

console.log("5. The member that holds the registry restarts");
const answeredBefore = three.answered;
const restarted = member.restart();
await until("the customer is served meanwhile", () => three.answered > answeredBefore + 20);
await restarted;
await using _four = await catalog("four");
await until("an instance that comes after it is found", () => answeredBy("three", "four"));

leaving.abort();
await customer;
await dispatcher.close();
if (failures.length > 0) throw new Error(`${failures.length} requests failed`, { cause: failures[0] });
console.log(`\nAll 5 steps did what they said, and none of ${answers.length} requests failed.`);
