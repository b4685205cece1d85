/** @module Three workers of which one works, and what happens to the ledger when the one that does stands still or ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "@conclave/client";
import { createElection } from "@conclave/election";
import { startMember } from "@conclave/testkit";
import { Ledger } from "./ledger.ts";

const patienceMs = 30_000;

/** A process of the worker, and what it has said. */
class Worker implements AsyncDisposable {
  readonly name: string;
  readonly process: ChildProcess;
  readonly said: string[] = [];

  constructor(name: string, args: readonly string[]) {
    this.name = name;
    const script = join(import.meta.dirname, "worker.ts");
    const flags = ["--import", "tsx", "--conditions=@conclave/source"];
    this.process = spawn(process.execPath, [...flags, script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    if (this.process.stdout === null) throw new Error("a worker speaks through a pipe");
    createInterface({ input: this.process.stdout }).on("line", (line) => {
      this.said.push(line);
      console.log(`  ${name} ${line}`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    // Not before what it said is read.
    const ended = once(this.process, "close");
    this.process.kill("SIGKILL");
    await ended;
  }
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

/** A directory that is gone in the end. */
async function temporaryDirectory() {
  const path = await mkdtemp(join(tmpdir(), "conclave-singleton-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

await using directory = await temporaryDirectory();
await using member = await startMember();
const path = join(directory.path, "ledger.db");
using ledger = new Ledger(path);
await using client = await connect({ endpoints: [member.endpoint] });
const election = createElection(client, "singleton/ledger");

async function start(name: string, priority: number): Promise<Worker> {
  const worker = new Worker(name, [member.endpoint, path, name, String(priority)]);
  await until(`${name} stands`, async () => {
    const { leader, candidates } = await election.inspect();
    return [leader, ...candidates].some((candidate) => candidate?.id === name);
  });
  return worker;
}

const works = (worker: Worker) => ledger.entries().at(-1)?.worker === worker.name;

console.log("1. Three workers, one of them works");
await using anna = await start("anna", 0);
await using bela = await start("bela", 1);
await using cleo = await start("cleo", 2);
await until("anna writes", () => works(anna));

console.log("2. anna stands still for longer than her lease lives");
const before = ledger.entries().length;
// Not within a transaction: SQLite would keep the others waiting for it.
await until("anna has just written", () => ledger.entries().length > before);
anna.process.kill("SIGSTOP");
await until("bela writes, who has waited for longest", () => works(bela));
anna.process.kill("SIGCONT");
await until("anna wakes, writes once more, and is refused", () => anna.said.some((line) => line.includes("refused")));

console.log("3. bela is told to end");
bela.process.kill("SIGTERM");
await until("cleo writes, who has the highest priority", () => works(cleo));
if (!bela.said.includes("hands over")) throw new Error("bela should have handed over");

const fences = ledger.entries().map(({ fence }) => fence);
if (fences.some((fence, at) => fence < (fences[at - 1] ?? 0))) throw new Error("The ledger is out of order");
for (const worker of [anna, cleo]) await worker[Symbol.asyncDispose]();
console.log(`Done: ${fences.length} entries by ${new Set(fences).size} leaders, in the order of their fences.`);
