/** @module Runs the same program on npm `etcd3` and on Conclave, and compares what they say. */
import { startMember } from "@conclave/testkit";
import { after } from "./after.ts";
import { before } from "./before.ts";
import type { Program } from "./program.ts";

/** Runs the program on a member of its own. @returns what it said */
async function run(program: Program): Promise<readonly string[]> {
  await using member = await startMember();
  const said: string[] = [];
  await program(member.endpoint, (line) => said.push(line));
  return said.toSorted();
}

const [old, fresh] = [await run(before), await run(after)];
for (const line of fresh) console.log(`  ${line}`);
if (JSON.stringify(old) !== JSON.stringify(fresh)) throw new Error(`On etcd3 it said:\n  ${old.join("\n  ")}`);
console.log(`Both say the same ${fresh.length} things.`);
