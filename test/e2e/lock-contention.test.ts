/**
 * @module Fifty real processes, with two tasks each, contend for one lock, while some are stopped, for shorter and for longer
 * than their leases live, and some are killed, the holder among them each time.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient, prefix } from "@conclave/client";
import { createLock } from "@conclave/lock";
import { etcdAbsence, startEtcd, startMemberProcess } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { type Absconder, LockAuditor } from "../sim/lock-auditor.ts";

const tasksEach = 2;
const ttlSec = 5;
const ttlMs = ttlSec * 1_000;
/** How much later than their time to live leases may be over: lessors look now and then, and the machine is busy. */
const slackMs = 45_000;
const program = join(import.meta.dirname, "lock-contender.mjs");

/** A process, and what it has said. */
class Contender implements AsyncDisposable {
  readonly fences: number[] = [];
  /** How often it has lost a place in the queue. */
  losses = 0;
  readonly #child: ChildProcess;
  #onFence = () => {};

  constructor(endpoint: string) {
    const args = [program, endpoint, String(tasksEach), String(ttlSec)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    createInterface({ input: child.stdout }).on("line", (line) => this.#hear(line));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }

  /** Waits until it has got the lock so many times more. */
  async acquires(times: number): Promise<void> {
    const enough = this.fences.length + times;
    while (this.fences.length < enough) {
      await new Promise<void>((resolve) => {
        this.#onFence = resolve;
      });
    }
  }

  #hear(line: string): void {
    if (line === "lost") this.losses++;
    else this.fences.push(Number(line));
    this.#onFence();
  }
}

/** Processes, of which those that are left are ended in the end. */
class Contenders implements AsyncDisposable {
  readonly all: readonly Contender[];

  constructor(endpoint: string, count: number) {
    this.all = Array.from({ length: count }, () => new Contender(endpoint));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((each) => each[Symbol.asyncDispose]()));
  }
}

/** The contention on one server, from the first contender to the last. */
class Contention {
  readonly violations: string[] = [];
  readonly #client: Client;
  readonly #auditor: LockAuditor;
  readonly #audit: Promise<void>;
  /** Those to whom nothing has been done. */
  readonly living: Contender[];

  constructor(client: Client, contenders: readonly Contender[]) {
    this.#client = client;
    this.living = [...contenders];
    const onViolation = (text: string) => void this.violations.push(text);
    this.#auditor = new LockAuditor({ name: "contended", fencedKey: "fenced", isMutex: true, onViolation });
    this.#audit = this.#auditor.follow(client);
  }

  /** Picks so many of the living, the one that holds the lock among them. */
  async pick(count: number): Promise<readonly Contender[]> {
    const lock = createLock(this.#client, "contended");
    for (;;) {
      const pid = (await lock.inspect()).holder?.pid;
      const at = this.living.findIndex((each) => each.pid === pid);
      if (at >= 0) return [...this.living.splice(at, 1), ...this.living.splice(0, count - 1)];
    }
  }

  /** Whoever lives gets the lock again, at the latest when the leases of those who do not have run out. */
  async goesOn(): Promise<void> {
    const late = new AbortController();
    const lateMs = ttlMs + slackMs;
    await Promise.race([
      Promise.all(this.living.map((each) => each.acquires(tasksEach))),
      sleep(lateMs, undefined, { signal: late.signal }).then(() => {
        throw new Error(`After ${lateMs} ms not all of the living have got the lock`);
      }),
    ]);
    late.abort();
  }

  /** Those who left the queue with nothing done, up to now. */
  async absconders(): Promise<readonly Absconder[]> {
    const { revision } = await this.#client.put("reached", "");
    while (this.#auditor.cursor < revision) await this.#client.get("reached");
    return [...this.#auditor.absconders];
  }

  /** Waits until the places of those who are dead are empty, and ends the audit. */
  async end(): Promise<void> {
    const left = async () => (await this.#client.range(prefix("contended/"))).count;
    const endMs = performance.now() + ttlMs + slackMs;
    while ((await left()) > 0 && performance.now() < endMs) await sleep(50);
    expect(await left()).toBe(0);
    await this.absconders();
    this.#auditor.stop();
    await this.#audit;
  }
}

const subjects = [
  { name: "a member", absent: undefined, start: startMemberProcess, processes: 50, victims: 8 },
  { name: "etcd", absent: etcdAbsence(), start: startEtcd, processes: 10, victims: 2 },
];

describe.each(subjects)("$processes processes on $name", ({ absent, start, processes, victims }) => {
  test.skipIf(absent)(
    "exclude each other and stay in order while some are stopped and killed, and none is stuck",
    {
      timeout: 240_000,
    },
    async () => {
      await using member = await start();
      await using client = createClient({ endpoints: [member.endpoint] });
      await using started = new Contenders(member.endpoint, processes);
      const contention = new Contention(client, started.all);
      await Promise.all(started.all.map((each) => each.acquires(tasksEach)));
      const lock = createLock(client, "contended");
      expect((await lock.inspect()).waiters.length).toBeGreaterThan((processes * tasksEach) / 2);

      // A short stop costs nobody its place, be it the holder: those behind it wait.
      const dozing = await contention.pick(victims);
      for (const each of dozing) each.signal("SIGSTOP");
      await sleep(0.4 * ttlMs);
      for (const each of dozing) each.signal("SIGCONT");
      const stopped = await contention.pick(victims);
      for (const each of stopped) each.signal("SIGSTOP");
      await contention.goesOn();
      const killed = await contention.pick(victims);
      await Promise.all(killed.map((each) => each[Symbol.asyncDispose]()));
      await contention.goesOn();
      for (const each of stopped) each.signal("SIGCONT");
      await Promise.all([...stopped, ...dozing].map((each) => each.acquires(tasksEach)));
      await contention.goesOn();

      // Nobody who lives was passed over: who left the queue without its turn has been stopped or killed, or says that it lost.
      const pids = (await contention.absconders()).map(({ value }) => Number(JSON.parse(value).pid));
      for (const each of [...contention.living, ...dozing])
        expect(pids.filter((pid) => pid === each.pid).length).toBeLessThanOrEqual(each.losses);
      expect(pids.some((pid) => killed.some((each) => each.pid === pid))).toBe(true);
      expect(stopped.some(({ losses }) => losses > 0)).toBe(true);

      await started[Symbol.asyncDispose]();
      await contention.end();
      expect(contention.violations).toEqual([]);
      for (const { fences } of started.all) expect(fences).toEqual(fences.toSorted((one, other) => one - other));
      const all = started.all.flatMap(({ fences }) => fences);
      expect(new Set(all).size).toBe(all.length);
    },
  );
});
