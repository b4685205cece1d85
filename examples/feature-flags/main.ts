/** @module Ten instances of a shop, and the operator who changes their flags while they serve. */
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "@conclave/client";
import { startMember } from "@conclave/testkit";
import { type Flags, flagsOf } from "./flags.ts";
import { type Shop, startFleet } from "./shop.ts";

const patienceMs = 20_000;
const classic: Flags = { checkout: "classic", freeShippingFrom: 50 };

/** What each instance answers now. */
async function ask(shops: readonly Shop[]): Promise<readonly Flags[]> {
  return await Promise.all(shops.map(async ({ url }) => (await (await fetch(url)).json()) as Flags));
}

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
const flags = flagsOf(client);
await flags.publish(classic, { by: "ada", note: "as it always was" });

await using fleet = await startFleet(member.endpoint, 10);
const { shops } = fleet;
const express = async () => (await ask(shops)).filter(({ checkout }) => checkout === "express").length;

console.log("1. Ten instances serve; a flag changes under them");
await flags.publish({ ...classic, freeShippingFrom: 30 }, { by: "ada" });
await until("all of them ship for free from 30 on", async () =>
  (await ask(shops)).every(({ freeShippingFrom }) => freeShippingFrom === 30),
);

console.log("2. A new checkout, for half of the instances and for ten minutes at most");
const trial: Flags = { checkout: "express", freeShippingFrom: 30 };
await flags.gray.start(trial, { percent: 50, durationMs: 600_000, by: "grace" });
await until("some instances have it and some do not", async () => (await express()) > 0 && (await express()) < 10);
await until("each says which revision it runs", async () => {
  const running = await flags.running();
  return running.length === 10 && running.filter(({ gray }) => gray).length === (await express());
});

console.log("3. It works: for everybody, in one step");
await flags.gray.promote({ by: "grace", note: "no complaints" });
await until("all of them have the new checkout", async () => (await express()) === 10);

console.log("4. Someone writes nonsense past the schema, with a plain put");
await client.put(flags.key, '{"checkout":"teleport"}');
await until("all of them refuse it", () => shops.every(({ refusal }) => refusal !== undefined));
await until("all of them keep the new checkout", async () => (await express()) === 10);

console.log("5. The member restarts");
const restarted = member.restart();
await until("the instances serve on with what they had", async () => (await express()) === 10);
await restarted;
await until("they follow again", () => shops.every(({ status }) => status === "following"));

console.log("6. Back to the flags before the new checkout");
const history = await flags.history();
const before = history.find(({ value }) => value.checkout === "classic");
for (const { revision, value, notes } of history) console.log(`  ${revision} ${value.checkout} ${notes?.by ?? ""}`);
await flags.rollback({ toRevision: before?.revision, by: "ada" });
await until("all of them have the old checkout", async () => (await express()) === 0);
console.log("\nAll 6 steps did what they said.");
