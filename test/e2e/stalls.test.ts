/**
 * @module Real processes whose event loop is blocked, or which are stopped by SIGSTOP, for 0.5, 1, 2 and 5 times the time to live
 * of what they own, while others wait for it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, connect, op } from "@conclave/client";
import { createElection } from "@conclave/election";
import { createLock } from "@conclave/lock";
import { createRegistry } from "@conclave/registry";
import { type MemberProcess, startMemberProcess } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ttlSec = 4;
const ttlMs = ttlSec * 1_000;
const program = join(import.meta.dirname, "stalled-owner.mjs");

/** What a process said of something that it owns, at the first look after its stall. */
interface Look {
  readonly name: string;
  readonly held: boolean;
  /** How much of its time is left, without renewals in the stall. */
  readonly leftMs: number;
  /** What became of its guarded write; undefined where nothing is guarded. */
  readonly outcome?: string;
}

/** What it said of all. */
interface Report {
  readonly owned: readonly Look[];
}

class StalledOwner implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(endpoint: string, prefix: string, blockMs: number | "until-stopped") {
    const args = [program, endpoint, prefix, String(ttlSec), String(blockMs)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** The next thing that it says. */
  async says(): Promise<string> {
    const { value } = await this.#lines.next();
    return value;
  }

  async stop(durationMs: number): Promise<void> {
    this.#child.kill("SIGSTOP");
    await sleep(durationMs);
    this.#child.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

/** Waits for what an owner has, and writes under it. @returns the fence that it got */
async function rival(client: Client, name: string, signal: AbortSignal): Promise<number | undefined> {
  const won = name.includes("-lock-")
    ? createLock(client, name).acquire({ signal })
    : createElection(client, name).campaign("rival", { signal });
  const owned = await won.catch(() => undefined);
  await owned?.txn([op.put(`${name}-fence`, String(owned.fence))]);
  return owned?.fence;
}

let member: MemberProcess;
let client: Client;
beforeAll(async () => {
  member = await startMemberProcess();
  client = await connect({ endpoints: [member.endpoint] });
});
afterAll(async () => {
  await client.close();
  await member[Symbol.asyncDispose]();
});

const isRenewed = ({ name }: Look): boolean => name.endsWith("-renewed");
const isRegistration = ({ name }: Look): boolean => name.includes("-registration-");

/** Stalls an owner whose rivals wait, and holds what it says to what the store says. */
async function stall(how: "blocked" | "stopped", factor: number): Promise<Report> {
  const prefix = `${how}-${factor}`;
  const durationMs = factor * ttlMs;
  await using owner = new StalledOwner(member.endpoint, prefix, how === "blocked" ? durationMs : "until-stopped");
  expect(await owner.says()).toBe("ready");
  const givenUp = new AbortController();
  const names = ["plain", "renewed"].flatMap((renewal) => [
    `${prefix}-lock-${renewal}`,
    `${prefix}-leadership-${renewal}`,
  ]);
  const rivals = new Map(names.map((name) => [name, rival(client, name, givenUp.signal)]));
  if (how === "stopped") await owner.stop(durationMs);
  const report = JSON.parse(await owner.says()) as Report;
  for (const { name, held } of report.owned) if (!held && rivals.has(name)) await rivals.get(name);
  givenUp.abort();
  for (const look of report.owned) await checkStored(look, await rivals.get(look.name));
  return report;
}

/** The last guarded write is that of the last who had it; what was registered is there again. */
async function checkStored(look: Look, won: number | undefined): Promise<void> {
  const { name } = look;
  if (isRegistration(look)) while ((await createRegistry(client).list(name)).instances.length === 0) await sleep(50);
  else if (won !== undefined)
    expect({ name, last: await client.getString(`${name}-fence`) }).toEqual({ name, last: `${won}` });
}

const factors = [0.5, 1, 2, 5];

describe("an event loop that is blocked", () => {
  test.concurrent("loses nothing that a thread renews, and says of the rest what the deadline says", async () => {
    const reports = await Promise.all(factors.map((factor) => stall("blocked", factor)));
    for (const { owned } of reports)
      for (const look of owned)
        if (!isRenewed(look)) expect(look).toMatchObject({ held: look.leftMs > 0 });
        else if (isRegistration(look)) expect(look).toMatchObject({ held: true });
        else expect(look).toMatchObject({ held: true, outcome: "done" });
    const [, ...long] = reports;
    expect(long.flatMap(({ owned }) => owned.filter((look) => look.held && !isRenewed(look)))).toEqual([]);
  });
});

describe("a process that is stopped", () => {
  test.concurrent("loses what it owns when it was stopped for too long, with a thread or without, and knows it at the first look", async () => {
    const reports = await Promise.all(factors.map((factor) => stall("stopped", factor)));
    for (const { owned } of reports)
      for (const look of owned) if (!isRenewed(look)) expect(look).toMatchObject({ held: look.leftMs > 0 });
    // Threads stood still too, each somewhere between two renewals.
    const [, , ...long] = reports;
    expect(long.flatMap(({ owned }) => owned.filter(({ held }) => held))).toEqual([]);
  });
});
