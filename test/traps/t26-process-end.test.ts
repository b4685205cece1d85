/**
 * @module How a process ends: one that is told to end leaves its lease to run out, so that requests go to nobody for that
 * long; and one that has nothing more to do does not end, for a timer. Here both happen to processes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Client, connect } from "@conclave/client";
import { startMember, type TestMember } from "@conclave/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

const ours = join(import.meta.dirname, "processes", "registered.ts");
const naive = join(import.meta.dirname, "naive", "registered-process.ts");
const key = "services/orders/one";

/** A process, and the lines that it writes. */
class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly closed: Promise<unknown[]>;

  constructor(script: string, ...args: readonly string[]) {
    const run = ["--import", "tsx", "--conditions=@conclave/source", script, ...args];
    const child = spawn(process.execPath, run, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.closed = once(child, "close");
  }

  /** The next line. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("the process ended without a further line");
    return value;
  }

  /** Sends SIGTERM and waits for the end. @returns the status and the signal that ended it */
  async terminate(): Promise<unknown[]> {
    this.#child.kill("SIGTERM");
    return await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.closed;
  }
}

describe("T26: a process that is registered", () => {
  let member: TestMember;
  let client: Client;
  beforeAll(async () => {
    member = await startMember();
    client = await connect({ endpoints: [member.endpoint] });
  });
  afterAll(async () => {
    await client.close();
    await member[Symbol.asyncDispose]();
  });
  beforeEach(() => client.delete(key));

  /** Ends a program by SIGTERM. @returns what watchers were told, and how it ended */
  async function terminated(script: string): Promise<{ told: readonly string[]; ended: unknown[] }> {
    await using program = new Program(script, member.endpoint, "sigterm");
    expect(await program.line()).toBe("registered");
    await using watcher = client.watch(key);
    const told: string[] = [];
    watcher.on("put", ({ kv }) => told.push(String(JSON.parse(kv.valueString).state)));
    watcher.on("delete", () => told.push("gone"));
    await watcher.ready();
    const ended = await program.terminate();
    // If the key is gone, watchers are about to hear of it.
    if ((await client.get(key)) === undefined) await expect.poll(() => told.at(-1)).toBe("gone");
    return { told, ended };
  }

  test("drains, leaves and ends by the signal when it is sent SIGTERM", async () => {
    const { told, ended } = await terminated(ours);
    expect(told).toEqual(["draining", "gone"]);
    expect(ended).toEqual([null, "SIGTERM"]);
    expect(await client.get(key)).toBeUndefined();
  });

  test("is found for a whole time to live after its end where that was naive", async () => {
    const { told } = await terminated(naive);
    expect(told).toEqual([]);
    const left = await client.get(key);
    expect((await client.lease.timeToLive(left?.lease ?? 0n)).ttlSec).toBeGreaterThan(0);
  });

  test("ends by itself when it has left, as no timer is left", async () => {
    await using program = new Program(ours, member.endpoint, "scope");
    expect(await program.line()).toBe("registered");
    expect(await program.line()).toBe("left []");
    expect(await program.closed).toEqual([0, null]);
    expect(await client.get(key)).toBeUndefined();
  });

  test("is kept alive by its timer where that was naive", async () => {
    await using program = new Program(naive, member.endpoint, "scope");
    expect(await program.line()).toBe("registered");
    expect(await program.line()).toBe('left ["Timeout"]');
  });
});
