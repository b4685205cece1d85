/**
 * @module One run of many who want one lock, on virtual time: tasks of several processes, whose event loops are blocked for
 * parts and multiples of the time to live, who are killed and cut off. An auditor reads the history of the store and holds
 * it to what the lock promises; what holders believe is held against the clock. The seed decides all of it.
 */
import type { Random } from "@conclave/base";
import { type Client, op, prefix } from "@conclave/client";
import {
  type Acquirable,
  createLock,
  createMultiLock,
  createReadWriteLock,
  createSemaphore,
  type HeldLock,
  type HeldLocks,
} from "@conclave/lock";
import { type SimulatedClient, SimulatedCluster, seededRandom } from "@conclave/testkit";
import { LockAuditor } from "./lock-auditor.ts";

/** How a run ended. */
export interface LockContentionReport {
  readonly seed: number;
  /** What was contended for. */
  readonly kind: LockKind;
  /** How often it was acquired. */
  readonly acquired: number;
  /** How often a holder was looked at right after its event loop had been blocked. */
  readonly looks: number;
  /** How many of those looks found that it was held no more. */
  readonly lost: number;
  /** Guarded writes that were carried out, and that were refused. */
  readonly writes: { readonly done: number; readonly refused: number };
  /** What must not be, in words; empty if all is well. */
  readonly violations: readonly string[];
}

const kinds = [
  ...(["mutex", "mutex", "mutex", "read-write lock", "semaphore"] as const),
  ...(["multi-lock", "multi-lock", "delayed mutex"] as const),
];
/** The kinds of locks. */
export type LockKind = "mutex" | "read-write lock" | "semaphore" | "multi-lock" | "delayed mutex";

const ttlSec = 2;
const ttlMs = ttlSec * 1_000;
/** The blocks of an event loop, as parts of the time to live. */
const stallFactors = [0.5, 1, 2, 5] as const;
const permits = 3;
/** A lessor looks for leases that have run out every half second; then the revoke and the waiter's reads follow. */
const expirySlackMs = 3_000;
/** The time between a lost holder and the next one, of a lock that has such. */
const lockDelayMs = 3_000;
/** For how long the mark of a lost holder may stand: see `docs/lock.md`. */
const markMsMax = 2 * lockDelayMs + 1.5 * ttlMs;
const lockName = "lock";
/** What holders write their keys to, guarded by what they hold. */
const fencedKeyOf = (name: string): string => `fenced-${name}`;

/** What to run. */
export interface LockContentionOptions {
  /** Decides everything. */
  readonly seed: number;
  /** How long things go wrong, in seconds of the simulation. */
  readonly seconds: number;
}

/** Runs one seed. */
export async function runLockContention(options: LockContentionOptions): Promise<LockContentionReport> {
  return await new LockContention(options).run();
}

/** One who holds the lock, as it believes. */
interface Holder extends Wish {
  readonly held: HeldLock | HeldLocks;
  readonly process: Contestant;
}

/** What a task wants. */
interface Wish {
  readonly lock: Acquirable<HeldLock | HeldLocks>;
  readonly isReader: boolean;
  /** Of a multi-lock one or more; of the others the one that there is. */
  readonly names: readonly string[];
}

/** A process that contends. */
interface Contestant extends SimulatedClient {
  isDead: boolean;
}

class LockContention {
  readonly #options: LockContentionOptions;
  readonly #random: Random;
  readonly #cluster: SimulatedCluster;
  readonly #kind: LockKind;
  readonly #contestants: readonly Contestant[];
  readonly #tasksEach: number;
  readonly #auditors: readonly LockAuditor[];
  /** A client to which nothing happens. */
  readonly #observer: SimulatedClient;
  readonly #holders = new Set<Holder>();
  readonly #violations: string[] = [];
  /** Aborted when nothing more is to begin: who waits then gives up. */
  readonly #stop = new AbortController();
  /** The highest fence that was seen, by name. */
  readonly #lastFences = new Map<string, number>();
  #acquired = 0;
  #looks = 0;
  #lost = 0;
  #done = 0;
  #refused = 0;

  constructor(options: LockContentionOptions) {
    const { seed } = options;
    const random = seededRandom(seed);
    this.#options = options;
    this.#random = random;
    this.#kind = kinds[random.below(kinds.length)] ?? "mutex";
    this.#cluster = new SimulatedCluster({ seed, members: random.below(4) === 0 ? 3 : 1 });
    this.#contestants = Array.from({ length: 3 + random.below(6) }, () => ({
      ...this.#cluster.client(),
      isDead: false,
    }));
    this.#observer = this.#cluster.client();
    this.#tasksEach = 1 + random.below(4);
    this.#auditors = this.#names.map(
      (name) =>
        new LockAuditor({
          ...{ name, fencedKey: fencedKeyOf(name), isMutex: this.#isExclusive },
          ...(this.#kind === "delayed mutex" ? { delayMs: lockDelayMs, nowMs: () => this.#nowMs } : {}),
          onViolation: (text) => this.#violate(text),
        }),
    );
  }

  async run(): Promise<LockContentionReport> {
    await this.#cluster.run(async () => {
      await this.#cluster.start();
      await this.#scenario();
    });
    return {
      seed: this.#options.seed,
      kind: this.#kind,
      acquired: this.#acquired,
      looks: this.#looks,
      lost: this.#lost,
      writes: { done: this.#done, refused: this.#refused },
      violations: this.#violations,
    };
  }

  /** What is contended for. */
  get #names(): readonly string[] {
    return this.#kind === "multi-lock" ? [lockName, "other", "third"] : [lockName];
  }

  get #isExclusive(): boolean {
    return this.#kind !== "read-write lock" && this.#kind !== "semaphore";
  }

  get #nowMs(): number {
    return this.#cluster.time.monotonicMs();
  }

  async #scenario(): Promise<void> {
    const { client } = this.#observer;
    const audit = Promise.all(this.#auditors.map((auditor) => auditor.follow(client)));
    const tasks = this.#contestants.flatMap((process) =>
      Array.from({ length: this.#tasksEach }, () => ({ process, work: this.#contend(process) })),
    );
    const endMs = this.#cluster.time.monotonicMs() + this.#options.seconds * 1_000;
    while (this.#cluster.time.monotonicMs() < endMs) {
      await this.#cluster.sleep(this.#random.fraction() * 1_000);
      await this.#disturb();
    }
    this.#cluster.heal();
    this.#stop.abort();
    await Promise.all(tasks.filter(({ process }) => !process.isDead).map(({ work }) => work));
    await this.#comesFree();
    const { revision } = await client.put("last", "");
    while (this.#auditors.some(({ cursor }) => cursor < revision)) await this.#cluster.sleep(10);
    for (const auditor of this.#auditors) auditor.stop();
    await audit;
  }

  async #contend(process: Contestant): Promise<void> {
    const wish = this.#draw(process);
    while (!this.#stop.signal.aborted) {
      await process.time.sleep(this.#random.fraction() * 1_000);
      // What keeps a contender from the lock is no fault; what it does when it has it may be.
      const held = await wish.lock.acquire({ waitMs: 20_000, signal: this.#stop.signal }).catch(() => undefined);
      if (held !== undefined) await this.#hold({ ...wish, held, process });
    }
  }

  /** Decides what a task wants: of several names some, in any order, or one by itself. */
  #draw({ client }: SimulatedClient): Wish {
    if (this.#kind === "read-write lock") return this.#wish(client, { isReader: this.#random.below(3) > 0 });
    if (this.#kind !== "multi-lock") return this.#wish(client, {});
    const shuffled = this.#names.toSorted(() => this.#random.fraction() - 0.5);
    return this.#wish(client, { names: shuffled.slice(0, 1 + this.#random.below(shuffled.length)) });
  }

  #wish(client: Client, { isReader = false, names = this.#names }: Partial<Omit<Wish, "lock">>): Wish {
    return { lock: this.#lockOf(client, { isReader, names }), isReader, names };
  }

  #lockOf(client: Client, { isReader, names }: Omit<Wish, "lock">): Acquirable<HeldLock | HeldLocks> {
    const [name = lockName, ...others] = names;
    switch (this.#kind) {
      case "mutex":
        return createLock(client, name, { ttlSec });
      case "delayed mutex":
        return createLock(client, name, { ttlSec, lockDelayMs });
      case "multi-lock":
        return others.length === 0 ? createLock(client, name, { ttlSec }) : createMultiLock(client, names, { ttlSec });
      case "semaphore":
        return createSemaphore(client, name, { ttlSec, permits });
      case "read-write lock":
        return createReadWriteLock(client, name, { ttlSec })[isReader ? "read" : "write"];
    }
  }

  async #hold(holder: Holder): Promise<void> {
    const { held, process } = holder;
    this.#acquired++;
    this.#checkCompany(holder);
    this.#holders.add(holder);
    for (let left = this.#random.below(3); left >= 0 && held.held && !this.#stop.signal.aborted; left--) {
      await this.#write(holder);
      await process.time.sleep(this.#random.fraction() * 400);
    }
    // A former holder tries too, whatever it knows.
    await this.#write(holder);
    this.#holders.delete(holder);
    await held.release({ timeoutMs: 2_000 }).catch(() => {});
  }

  #checkCompany(holder: Holder): void {
    const { held, names } = holder;
    if (!held.held) return;
    for (const name of names) {
      const last = this.#lastFences.get(name) ?? 0;
      if (this.#isExclusive && held.fence <= last) this.#violate(`fence ${held.fence} gets "${name}" after ${last}`);
      this.#lastFences.set(name, Math.max(last, held.fence));
    }
    const others = [...this.#holders].filter((other) => other.held.held);
    if (!this.#mayBeTogether(holder, others))
      this.#violate(`fence ${held.fence} gets in while ${others.map((other) => other.held.fence)} hold it`);
  }

  #mayBeTogether({ isReader, names }: Holder, others: readonly Holder[]): boolean {
    switch (this.#kind) {
      case "mutex":
      case "delayed mutex":
        return others.length === 0;
      case "multi-lock":
        return others.every((other) => other.names.every((name) => !names.includes(name)));
      case "semaphore":
        return others.length < permits;
      case "read-write lock":
        return isReader ? others.every((other) => other.isReader) : others.length === 0;
    }
  }

  async #write(holder: Holder): Promise<void> {
    const writes = holder.names.map((name) => op.put(fencedKeyOf(name), keyOf(holder, name)));
    await holder.held.txn(writes, { timeoutMs: 2_000 }).then(
      () => this.#done++,
      () => this.#refused++,
    );
  }

  async #disturb(): Promise<void> {
    const living = this.#contestants.filter(({ isDead, time }) => !isDead && !time.isPaused);
    if (living.length === 0) return;
    const victim = living[this.#random.below(living.length)] as Contestant;
    switch (this.#random.below(14)) {
      case 0:
        if (living.length > 2) this.#kill(victim);
        return;
      case 1:
        this.#cluster.isolate(victim.name);
        return;
      case 2:
        this.#cluster.heal();
        return;
      case 3:
        await this.#restartLeader();
        return;
      default:
        void this.#stall(this.#holdingProcess() ?? victim);
    }
  }

  /** Holders are what is worth disturbing. */
  #holdingProcess(): Contestant | undefined {
    const [first] = [...this.#holders].filter(({ process }) => !process.isDead && !process.time.isPaused);
    return this.#random.below(4) === 0 ? undefined : first?.process;
  }

  #kill(victim: Contestant): void {
    victim.isDead = true;
    victim.time.kill();
  }

  async #restartLeader(): Promise<void> {
    const leader = this.#cluster.leader();
    if (leader === undefined) return;
    this.#cluster.crash(leader);
    await this.#cluster.sleep(500);
    await this.#cluster.restart(leader);
  }

  /** Blocks an event loop, and looks at what its process holds before anything else of it runs. */
  async #stall({ name, time }: Contestant): Promise<void> {
    const factor = stallFactors[this.#random.below(stallFactors.length)] ?? 1;
    const startMs = time.monotonicMs();
    this.#cluster.pause(name);
    const before = [...this.#holders].filter(({ process }) => process.name === name);
    const leftMs = before.map(({ held }) => held.remainingMs);
    await this.#cluster.sleep(factor * ttlMs);
    const stalledMs = time.monotonicMs() - startMs;
    await Promise.all(before.map((holder, at) => this.#look(holder, (leftMs[at] ?? 0) - stalledMs)));
    this.#cluster.resume(name);
  }

  /** What a holder says after a stall is what its clock says, and if it says that it holds, the store says so too. */
  async #look(holder: Holder, leftMs: number): Promise<void> {
    const { held, names } = holder;
    this.#looks++;
    const isHeld = held.held;
    if (!isHeld) this.#lost++;
    if (isHeld !== leftMs > 0) this.#violate(`fence ${held.fence} says held = ${isHeld} with ${leftMs} ms left`);
    const key = keyOf(holder, names[0] ?? lockName);
    const kv = await this.#observer.client.get(key, { timeoutMs: 1_000 }).catch(() => "not to be had");
    if (held.held && kv === undefined) this.#violate(`fence ${held.fence} believes that it holds what is gone`);
  }

  /** After everybody has stopped, or died, a newcomer gets the lock: nobody is stuck longer than a time to live. */
  async #comesFree(): Promise<void> {
    const { client } = this.#observer;
    const waitMs = ttlMs + expirySlackMs + (this.#kind === "delayed mutex" ? markMsMax : 0);
    await this.#wish(client, {})
      .lock.acquire({ waitMs })
      .then(
        (held) => held.release(),
        (error: unknown) => this.#violate(`a newcomer does not get the lock: ${String(error)}`),
      );
    const endMs = this.#nowMs + ttlMs + expirySlackMs;
    const count = async (name: string): Promise<number> => (await client.range(prefix(`${name}/`))).count;
    const left = async (): Promise<number> =>
      (await Promise.all(this.#names.map(count))).reduce((sum, each) => sum + each, 0);
    while ((await left()) > 0 && this.#nowMs < endMs) await this.#cluster.sleep(100);
    if ((await left()) > 0) this.#violate(`${await left()} keys are left in the queue`);
  }

  #violate(message: string): void {
    this.#violations.push(`at ${Math.round(this.#nowMs)} ms: ${message}`);
  }
}

/** The key of a holder in the queue of a name. */
function keyOf({ held, names }: Holder, name: string): string {
  return ("keys" in held ? held.keys[names.indexOf(name)] : held.key) ?? "";
}
