/** @module A shop that has pictures made smaller, and what happens to its workers. */
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "@conclave/client";
import { createTopic, inspectTopic } from "@conclave/pubsub";
import { startMember } from "@conclave/testkit";
import { results } from "./done.ts";
import { deadJobs, type Job, jobsOf, workersOf } from "./jobs.ts";
import { startWorker } from "./worker.ts";

const patienceMs = 20_000;

/** Waits until something holds, or fails saying what did not. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`It did not come about that ${what}`);
    await sleep(20);
  }
  console.log(`  ${what}`);
}

await using member = await startMember();
await using client = await connect({ endpoints: [member.endpoint] });
const jobs = jobsOf(client);
const publish = (picture: string) => jobs.publish({ picture, width: 640 }, { id: picture });
const made = async (count: number): Promise<boolean> => (await results(client)).length === count;

console.log("1. Jobs are published before there is anybody to do them; one of them twice");
for (const picture of ["a.png", "b.png", "c.png", "d.png", "a.png"]) await publish(picture);

console.log("2. Three workers come and share them");
await using _ann = await startWorker(member.endpoint, "ann");
await using _bob = await startWorker(member.endpoint, "bob");
await using _cy = await startWorker(member.endpoint, "cy");
await until("four pictures are made", () => made(4));

console.log("3. A job that cannot be done is tried three times, and put aside");
await publish("notes.txt");
const { value: letter } = await createTopic<Job>(client, deadJobs).subscribe({ from: "earliest" }).next();
console.log(`  ${letter?.message.picture} is dead after ${letter?.headers["dead-letter-deliveries"]} tries`);

console.log("4. A worker takes a job and dies; when its lease is over another one does it");
const doomed = await connect({ endpoints: [member.endpoint] });
const last = await workersOf(doomed).join();
let taken = false;
void (async () => {
  for await (const _delivery of last.messages()) taken = true;
})().catch(() => {});
for (let at = 0; !taken; at++)
  await Promise.all(Array.from({ length: 8 }, (_, offset) => publish(`e${at * 8 + offset}.png`)));
await doomed.close();
await until("nothing is left to do", async () => {
  const [group] = (await inspectTopic(client, jobs.name)).groups;
  return group?.behind === 0 && group.pending === 0;
});

console.log("5. A job for later");
const before = (await results(client)).length;
await jobs.publishLater({ picture: "z.png", width: 64 }, { dueAt: new Date(Date.now() + 500) });
await until("it is done when it is due", () => made(before + 1));
console.log("Every job was done, and each result was written once.");
