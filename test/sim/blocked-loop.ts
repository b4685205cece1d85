/**
 * @module Runs of an event loop that is blocked, on virtual time: a process that holds a lock, leads or is registered stands
 * still for about half, one, two or five times its time to live, while a rival waits. What the process finds at its first look
 * after the stall, before any timer or signal has run, is held against its clock and against the store. Several such pairs
 * share a cluster, which is most of what a run costs. The seed decides all of it.
 */
import type { Random } from "@conclave/base";
import { type Client, type Ownership, op } from "@conclave/client";
import { createElection } from "@conclave/election";
import { createLock } from "@conclave/lock";
import { createRegistry } from "@conclave/registry";
import { type SimulatedClient, SimulatedCluster, seededRandom } from "@conclave/testkit";

/** How a run ended. */
export interface BlockedLoopReport {
  /** What was owned. */
  readonly kind: OwnedKind;
  /** Whether it was still owned at the first look. */
  readonly isHeld: boolean;
  /** Whether a guarded write after the stall was refused; undefined where nothing is guarded. */
  readonly isRefused: boolean | undefined;
  /** What must not be, in words; empty if all is well. */
  readonly violations: readonly string[];
}

const kinds = ["lock", "leadership", "registration"] as const;
/** What a process owns. */
export type OwnedKind = (typeof kinds)[number];

/** Blocks of the event loop, as parts of the time to live. */
const stallFactors = [0.5, 1, 2, 5] as const;
/** A lessor looks for leases that have run out every half second; then the revoke and the rival's reads follow. */
const expirySlackMs = 3_000;
/** A lost registration is granted a new lease after a delay with jitter. */
const healMs = 3_000;

/** What the stalled process and its rival can do, whatever it is that they want. */
interface Owned {
  /** What the owner says. */
  held(): boolean;
  /** Until when, by its clock, in milliseconds from now; undefined where nobody says. */
  remainingMs(): number | undefined;
  /** Whether the store still has what is owned. */
  isStored(client: Client): Promise<boolean>;
  /** Writes the owner's fence under its guard; undefined where nothing is guarded. */
  readonly write: (() => Promise<unknown>) | undefined;
}

/** Runs so many at once, in one cluster. */
export async function runBlockedLoops(seed: number, runs: number): Promise<readonly BlockedLoopReport[]> {
  const random = seededRandom(seed);
  const cluster = new SimulatedCluster({ seed, members: random.below(10) === 0 ? 3 : 1 });
  return await cluster.run(async () => {
    await cluster.start();
    const loops = Array.from({ length: runs }, (_, at) => {
      return new BlockedLoop(cluster, { name: `owned-${at}`, random: seededRandom(random.below(2 ** 31)) });
    });
    return await Promise.all(loops.map((loop) => loop.run()));
  });
}

class BlockedLoop {
  readonly #cluster: SimulatedCluster;
  readonly #random: Random;
  readonly #name: string;
  readonly #kind: OwnedKind;
  readonly #ttlSec: number;
  readonly #owner: SimulatedClient;
  readonly #rival: SimulatedClient;
  readonly #violations: string[] = [];

  constructor(cluster: SimulatedCluster, { name, random }: { readonly name: string; readonly random: Random }) {
    this.#cluster = cluster;
    this.#random = random;
    this.#name = name;
    this.#kind = kinds[random.below(kinds.length)] ?? "lock";
    this.#ttlSec = 2 + random.below(5);
    this.#owner = cluster.client();
    this.#rival = cluster.client();
  }

  async run(): Promise<BlockedLoopReport> {
    const { name: machine, time } = this.#owner;
    const ttlMs = this.#ttlSec * 1_000;
    const owned = await this.#own(this.#owner.client);
    const rivalry = this.#kind === "registration" ? undefined : this.#contend();
    // At any moment between two renewals.
    await this.#cluster.sleep(this.#random.fraction() * 2 * ttlMs);
    const startMs = time.monotonicMs();
    const leftMs = owned.remainingMs();
    this.#cluster.pause(machine);
    await this.#cluster.sleep(this.#drawStallMs(ttlMs));
    const isHeld = owned.held();
    if (leftMs !== undefined && isHeld !== leftMs > time.monotonicMs() - startMs)
      this.#violate(`held is ${isHeld} ${time.monotonicMs() - startMs} ms after ${leftMs} ms were left`);
    if (isHeld && !(await owned.isStored(this.#rival.client))) this.#violate("what is gone is taken for held");
    const write = owned.write?.().then(
      () => false,
      () => true,
    );
    this.#cluster.resume(machine);
    const isRefused = await write;
    await this.#checkAftermath(owned, { isHeld, rivalry });
    return { kind: this.#kind, isHeld, isRefused, violations: this.#violations };
  }

  get #fencedKey(): string {
    return `fenced-by-${this.#name}`;
  }

  #drawStallMs(ttlMs: number): number {
    const factor = stallFactors[this.#random.below(stallFactors.length)] ?? 1;
    return factor * ttlMs * (0.95 + 0.1 * this.#random.fraction());
  }

  async #own(client: Client): Promise<Owned> {
    const ttlSec = this.#ttlSec;
    switch (this.#kind) {
      case "lock":
        return asOwned(await createLock(client, this.#name, { ttlSec }).acquire(), this.#fencedKey);
      case "leadership":
        return asOwned(await createElection(client, this.#name, { ttlSec }).campaign("owner"), this.#fencedKey);
      case "registration":
        return await this.#register(client);
    }
  }

  async #register(client: Client): Promise<Owned> {
    const ttlSec = this.#ttlSec;
    const registry = createRegistry(client, { ttlSec });
    const registration = await registry.register({
      service: this.#name,
      id: "one",
      addresses: { http: "http://10.0.0.7" },
    });
    // The lease that registrations of one time to live share.
    const { current } = client.sharedSession({ ttlSec });
    return {
      held: () => registration.state === "registered",
      remainingMs: () => current?.remainingMs,
      isStored: async (other) => (await createRegistry(other).list(this.#name)).instances.length === 1,
      write: undefined,
    };
  }

  /** Waits for what is owned, and writes under it. @returns the fence */
  async #contend(): Promise<number> {
    const ttlSec = this.#ttlSec;
    const { client } = this.#rival;
    const won =
      this.#kind === "lock"
        ? await createLock(client, this.#name, { ttlSec }).acquire()
        : await createElection(client, this.#name, { ttlSec }).campaign("rival");
    await won.txn([op.put(this.#fencedKey, `${won.fence}`)]);
    return won.fence;
  }

  async #checkAftermath(
    owned: Owned,
    { isHeld, rivalry }: { readonly isHeld: boolean; readonly rivalry: Promise<number> | undefined },
  ): Promise<void> {
    const graceMs = this.#ttlSec * 1_000 + expirySlackMs;
    await this.#cluster.sleep(graceMs + (rivalry === undefined ? healMs : 0));
    const won = await Promise.race([rivalry, this.#cluster.sleep(0).then(() => undefined)]);
    if (isHeld && (!owned.held() || won !== undefined))
      this.#violate("a stall that it had outlived cost what it owned");
    if (rivalry === undefined) {
      if (!owned.held() || !(await owned.isStored(this.#rival.client)))
        this.#violate(`it is not registered again after ${graceMs + healMs} ms`);
      return;
    }
    if (!isHeld && owned.held()) this.#violate("what was lost is held again");
    if (!isHeld && won === undefined) this.#violate(`the rival has not got it after ${graceMs} ms`);
    await this.#checkFences(won);
  }

  /** Fences of the writes that were carried out never go back: the last is the rival's, if it won. */
  async #checkFences(won: number | undefined): Promise<void> {
    const { client } = this.#rival;
    const last = await client.get(this.#fencedKey);
    if (won !== undefined && last?.valueString !== `${won}`)
      this.#violate(`fence ${last?.valueString} was written after ${won} had won`);
  }

  #violate(message: string): void {
    this.#violations.push(`${this.#name}, ${this.#kind}, ${this.#ttlSec} s: ${message}`);
  }
}

function asOwned(ownership: Ownership, fencedKey: string): Owned {
  return {
    held: () => ownership.held,
    remainingMs: () => ownership.remainingMs,
    isStored: async (client) => (await client.get(ownership.key)) !== undefined,
    write: () => ownership.txn([op.put(fencedKey, `${ownership.fence}`)], { timeoutMs: 2_000 }),
  };
}
