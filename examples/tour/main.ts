/** @module The tour: what Conclave is for, done for real on processes of this machine. */

import { type Actor, Stage } from "./stage.ts";
import { showConfig } from "./steps/config.ts";
import { showDurability } from "./steps/durability.ts";
import { showElection } from "./steps/election.ts";
import { showLock } from "./steps/lock.ts";
import { showPubsub } from "./steps/pubsub.ts";
import { showRegistry } from "./steps/registry.ts";

type Step = (stage: Stage, member: Actor) => Promise<void>;

const steps: readonly (readonly [title: string, step: Step])[] = [
  ["Services register and are found", showRegistry],
  ["Two workers contend for a lock", showLock],
  ["Candidates elect a leader", showElection],
  ["Configuration changes under running programs", showConfig],
  ["A subscriber that was away misses nothing", showPubsub],
  ["The member is killed in the middle of writes", showDurability],
];

const next = `
What to try next:
  bin/conclave                     start a durable member with etcd's defaults (default.etcd, ports 2379 and 2380)
  bin/conclavectl put foo bar      talk to it; Debian's etcdctl does as well
  bin/conclavectl watch --prefix "" in a second terminal
  README.md                        30 lines of SDK, and the map of the packages
`;

/** Plays every step; gives back the exit status. */
async function tour(stage: Stage): Promise<number> {
  let current = "Starting a member";
  try {
    const member = await stage.startMember();
    console.log(`A Conclave member runs in a process of its own and serves ${stage.endpoint}.`);
    for (const [at, [title, step]] of steps.entries()) {
      current = title;
      console.log(`\n${at + 1}. ${title}`);
      await step(stage, member);
    }
    console.log(`\nAll ${steps.length} steps did what they said.\n${next}`);
    return 0;
  } catch (error) {
    console.error(`\nThe tour failed in "${current}": ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

await using stage = await Stage.open();
const interrupted = new Promise<number>((resolve) => {
  process.once("SIGINT", () => resolve(130)).once("SIGTERM", () => resolve(143));
});
process.exitCode = await Promise.race([tour(stage), interrupted]);
