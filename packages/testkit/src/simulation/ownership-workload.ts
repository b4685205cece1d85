/**
 * @module Clients that want the same lock, and keys that hang on leases which are kept alive: no two may hold the lock
 * at one moment, and a key must be there for as long as its client knows that it is.
 */
import type { Random } from "@conclave/base";
import { type LeaseGrant, type Ownership, op, type Session, takeOwnership } from "@conclave/client";
import type { SimulatedClient, SimulatedCluster } from "./simulated-cluster.ts";

/** What the workload is made of. */
export interface OwnershipWorkloadOptions {
  /** The cluster. */
  readonly cluster: SimulatedCluster;
  /** Decides how long locks are wanted and leases kept. */
  readonly random: Random;
  /** How many clients want the lock; default: 2. */
  readonly contenders?: number;
  /** How many clients keep keys on leases; default: 1. */
  readonly keepers?: number;
  /** How many clients renew the lease of their key as late as they can, or later; default: 0. */
  readonly lateKeepers?: number;
  /** Time to live of leases in seconds; default: 3. */
  readonly ttlSec?: number;
  /** Is told of everything that must not be; default: it is thrown away. */
  readonly onViolation?: (message: string) => void;
}

/** The name of the lock, and the key that its holders write their fence to. */
const lockName = "lock";
const fencedKey = "fenced";
const patienceMs = 20_000;
/** How much of a time to live is over on no clock before it is on that of the client: clocks drift, by 1 % each. */
const clockTrust = 0.95;

/** Locks and leases until it is stopped. */
export class OwnershipWorkload {
  readonly #options: Required<OwnershipWorkloadOptions>;
  readonly #contenders: readonly SimulatedClient[];
  readonly #keepers: readonly SimulatedClient[];
  readonly #lateKeepers: readonly SimulatedClient[];
  readonly #held = new Map<string, Ownership>();
  #leases = 0;
  readonly #fenced: { readonly revision: number; readonly fence: number }[] = [];
  #isStopped = false;
  /** How often the lock was held. */
  acquired = 0;
  /** How many fenced writes were carried out. */
  fencedWrites = 0;
  /** How often a key was looked for while its lease was sure to live. */
  keptLooks = 0;

  constructor(options: OwnershipWorkloadOptions) {
    this.#options = { contenders: 2, keepers: 1, lateKeepers: 0, ttlSec: 3, onViolation: () => {}, ...options };
    const { cluster, contenders, keepers, lateKeepers } = this.#options;
    this.#contenders = Array.from({ length: contenders }, () => cluster.client());
    this.#keepers = Array.from({ length: keepers }, () => cluster.client());
    this.#lateKeepers = Array.from({ length: lateKeepers }, () => cluster.client());
  }

  /** Lets the clients work until {@link OwnershipWorkload.stop}. */
  async run(): Promise<void> {
    await Promise.all([
      ...this.#contenders.map((client) => this.#contend(client)),
      ...this.#keepers.map((client) => this.#keep(client)),
      ...this.#lateKeepers.map((client) => this.#keepLate(client)),
    ]);
  }

  /** Lets nothing more begin. */
  stop(): void {
    this.#isStopped = true;
  }

  async #contend(contender: SimulatedClient): Promise<void> {
    const { random, ttlSec } = this.#options;
    while (!this.#isStopped) {
      await contender.time.sleep(random.fraction() * 500);
      // What keeps a client from the lock is no fault; what it does when it has it may be.
      const lock = await takeOwnership(contender.client, lockName, { ttlSec, waitMs: patienceMs }).catch(
        () => undefined,
      );
      if (lock === undefined) continue;
      await this.#hold(contender, lock);
      await lock.release({ timeoutMs: 2_000 }).catch(() => {});
    }
  }

  async #hold(contender: SimulatedClient, lock: Ownership): Promise<void> {
    const { random } = this.#options;
    this.#checkAlone(contender.name, lock);
    this.#held.set(contender.name, lock);
    this.acquired++;
    const rounds = 1 + random.below(5);
    for (let round = 0; round < rounds && lock.held && !this.#isStopped; round++) {
      await this.#writeFenced(lock);
      await contender.time.sleep(random.fraction() * 800);
    }
    this.#held.delete(contender.name);
  }

  #checkAlone(name: string, lock: Ownership): void {
    if (!lock.held) return;
    for (const [other, { held, fence }] of this.#held)
      if (held) this.#violated(`${name} gets the lock (fence ${lock.fence}) while ${other} holds it (fence ${fence})`);
  }

  /** A write that takes effect only while the lock is held: in the order of the revisions fences never go back. */
  async #writeFenced(lock: Ownership): Promise<void> {
    const { fence } = lock;
    const result = await lock.txn([op.put(fencedKey, `${fence}`)], { timeoutMs: 2_000 }).catch(() => undefined);
    if (result === undefined) return;
    const { revision } = result;
    for (const other of this.#fenced)
      if (other.revision < revision ? other.fence > fence : other.fence < fence)
        this.#violated(
          `fence ${fence} was written at revision ${revision} and fence ${other.fence} at revision ${other.revision}`,
        );
    this.#fenced.push({ revision, fence });
    this.fencedWrites++;
  }

  async #keep(keeper: SimulatedClient): Promise<void> {
    const { random, ttlSec } = this.#options;
    while (!this.#isStopped) {
      await keeper.time.sleep(random.fraction() * 500);
      const session = await keeper.client.session({ ttlSec, timeoutMs: 5_000 }).catch(() => undefined);
      if (session === undefined) continue;
      const key = `lease/${++this.#leases}`;
      const put = await keeper.client.put(key, "", { lease: session.lease }).catch(() => undefined);
      if (put !== undefined) await this.#lookAfter(keeper, session, key);
      await session.close({ timeoutMs: 2_000 }).catch(() => {});
    }
  }

  async #lookAfter(keeper: SimulatedClient, session: Session, key: string): Promise<void> {
    const rounds = 3 + this.#options.random.below(10);
    for (let round = 0; round < rounds && session.held && !this.#isStopped; round++) {
      await keeper.time.sleep(this.#options.random.fraction() * 2_000);
      if (!session.held) return;
      const found = await keeper.client.get(key, { timeoutMs: 2_000 }).then(
        (item) => item !== undefined,
        () => undefined,
      );
      if (found === undefined || !session.held) continue;
      this.keptLooks++;
      if (!found) this.#violated(`${key} is gone while its lease ${session.lease} is sure to live`);
    }
  }

  async #keepLate(keeper: SimulatedClient): Promise<void> {
    const { random, ttlSec } = this.#options;
    while (!this.#isStopped) {
      await keeper.time.sleep(random.fraction() * 500);
      const lease = await keeper.client.lease.grant({ ttlSec, timeoutMs: 5_000 }).catch(() => undefined);
      if (lease === undefined) continue;
      const key = `lease/${++this.#leases}`;
      const put = await keeper.client.put(key, "", { lease: lease.id }).catch(() => undefined);
      if (put !== undefined) while (!this.#isStopped && (await this.#renewLate(keeper, lease, key)));
      await keeper.client.lease.revoke(lease.id, { timeoutMs: 2_000 }).catch(() => {});
    }
  }

  /**
   * Renews a lease, looks for its key while it is sure to live, and waits until it is about to run out, or just has. A lease
   * may be gone then; one whose renewal was acknowledged may not.
   *
   * @returns whether it was acknowledged
   */
  async #renewLate({ client, time }: SimulatedClient, lease: LeaseGrant, key: string): Promise<boolean> {
    const ttlMs = lease.ttlSec * 1_000;
    const sureToMs = time.monotonicMs() + ttlMs * clockTrust;
    const isRenewed = await client.lease.keepAliveOnce(lease.id, { timeoutMs: 2_000 }).then(
      () => true,
      () => false,
    );
    if (!isRenewed) return false;
    const nextMs = time.monotonicMs() + ttlMs - 600 + this.#options.random.fraction() * 1_000;
    while (!this.#isStopped) {
      const item = await client.get(key, { timeoutMs: 2_000 }).catch(() => null);
      if (time.monotonicMs() >= sureToMs) break;
      if (item !== null) this.keptLooks++;
      if (item === undefined)
        this.#violated(`${key} is gone although a renewal of its lease ${lease.id} was acknowledged`);
      await time.sleep(this.#options.random.fraction() * 500);
    }
    await time.sleep(Math.max(0, nextMs - time.monotonicMs()));
    return true;
  }

  #violated(message: string): void {
    this.#options.onViolation(`at ${this.#options.cluster.time.monotonicMs()} ms: ${message}`);
  }
}
