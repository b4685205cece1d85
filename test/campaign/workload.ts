/**
 * @module Clients that write whatever a member takes, and remember what was acknowledged. Each worker has keys and
 * leases of its own, so it knows what its operations do.
 */
import type { Random } from "@conclave/base";
import { type Client, type ClientView, compare, isConclaveError, op, prefix } from "@conclave/client";
import { LostWrite, type RecordedHistory } from "./recorded-history.ts";

/** A change that was acknowledged; without a value the key was deleted. */
interface Change {
  readonly key: string;
  readonly value?: string;
}

const keysPerWorker = 6;
const pauseMsMax = 8;
/** Long enough that no lease ends by itself. */
const leaseTtlSec = 100_000;
/** How a call may end when its member is killed under it. */
const endings = ["OUTCOME_UNKNOWN", "UNAVAILABLE", "TIMEOUT", "COMPACTED"] as const;

/** What was acknowledged to all workers. */
export class Acknowledged {
  /** How many operations. */
  count = 0;
  /** The highest revision that was compacted. */
  compactedRevision = 0;
  readonly leases = new Set<bigint>();
  readonly revokedLeases = new Set<bigint>();
  #changes: { readonly revision: number; readonly changes: readonly Change[] }[] = [];

  /** Notes changes that were made at one revision. */
  add(revision: number, changes: readonly Change[]): void {
    this.#changes.push({ revision, changes });
  }

  /**
   * Looks for all of it in a member that has just been started.
   *
   * @throws LostWrite for the first thing that is not there
   */
  async verify(client: Client, history: RecordedHistory): Promise<void> {
    const { revision, kvs } = await client.range(prefix(""));
    await history.upTo(revision);
    for (const { revision, changes } of this.#changes.splice(0)) {
      const told = new Map(history.revisions.get(revision)?.map(({ type, kv }) => [kv.keyString, { type, kv }]));
      for (const { key, value } of changes) {
        const found = told.get(key);
        if (found?.type !== (value === undefined ? "delete" : "put") || found.kv.valueString !== (value ?? ""))
          throw new LostWrite(`revision ${revision} should have ${value === undefined ? "deleted" : "written"} ${key}`);
      }
    }
    const inStore = kvs.map(({ keyString, valueString, modRevision, lease }) =>
      [keyString, valueString, modRevision, lease].join(),
    );
    const inHistory = [...history.live.values()].map((kv) =>
      [kv.keyString, kv.valueString, kv.modRevision, kv.lease].join(),
    );
    const missing = inHistory.filter((each) => !inStore.includes(each));
    if (missing.length > 0 || inStore.length !== inHistory.length)
      throw new LostWrite(`the store has ${inStore.length} keys of ${inHistory.length}; missing: ${missing.join(" ")}`);
    await this.#verifyLeases(client);
    await this.#verifyCompaction(client);
  }

  async #verifyLeases(client: Client): Promise<void> {
    const leases = new Set(await client.lease.list());
    for (const lease of this.leases) if (!leases.has(lease)) throw new LostWrite(`lease ${lease} is gone`);
    for (const lease of this.revokedLeases) if (leases.has(lease)) throw new LostWrite(`lease ${lease} is back`);
  }

  async #verifyCompaction(client: Client): Promise<void> {
    if (this.compactedRevision < 2) return;
    const error = await client
      .range("any", { revision: this.compactedRevision - 1 })
      .catch((reason: unknown) => reason);
    if (!isConclaveError(error, "COMPACTED"))
      throw new LostWrite(`the compaction at ${this.compactedRevision} is gone`);
  }
}

/** What a worker works with. */
export interface WorkerParts {
  readonly name: string;
  readonly client: ClientView;
  readonly random: Random;
  readonly history: RecordedHistory;
  readonly acknowledged: Acknowledged;
}

/** One writer. */
export class Worker {
  readonly #parts: WorkerParts;
  #lease = 0n;
  #written = 0;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /** Writes until it is told to stop or the member is gone. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        await this.#step();
        this.#parts.acknowledged.count += 1;
        await new Promise((resolve) => setTimeout(resolve, this.#parts.random.below(pauseMsMax)));
      }
    } catch (error) {
      if (!endings.some((code) => isConclaveError(error, code))) throw error;
    }
  }

  #step(): Promise<void> {
    const die = this.#parts.random.below(100);
    if (die < 55) return this.#put();
    if (die < 70) return this.#delete();
    if (die < 85) return this.#txn();
    if (die < 97) return this.#lease === 0n ? this.#grant() : this.#revoke();
    return this.#compact();
  }

  #key(at = this.#parts.random.below(keysPerWorker)): string {
    return `${this.#parts.name}/${at}`;
  }

  #value(): string {
    return `${this.#written++}${".".repeat(this.#parts.random.below(300))}`;
  }

  async #put(): Promise<void> {
    const { client, random, acknowledged } = this.#parts;
    const change = { key: this.#key(), value: this.#value() };
    const lease = random.below(3) === 0 ? this.#lease : 0n;
    const { revision } = await client.put(change.key, change.value, { lease });
    acknowledged.add(revision, [change]);
  }

  async #delete(): Promise<void> {
    const { client, random, acknowledged } = this.#parts;
    const range = random.below(5) === 0 ? prefix(`${this.#parts.name}/`) : this.#key();
    const { revision, prevKvs } = await client.delete(range, { prevKv: true });
    if (prevKvs.length > 0)
      acknowledged.add(
        revision,
        prevKvs.map((kv) => ({ key: kv.keyString })),
      );
  }

  async #txn(): Promise<void> {
    const { client, acknowledged } = this.#parts;
    const [first, second, third] = [this.#key(0), this.#key(1), this.#key(2)];
    const changes = [
      { key: first, value: this.#value() },
      { key: second, value: this.#value() },
    ];
    const { succeeded, revision } = await client
      .txn()
      .if(compare.version(third).greater(0))
      .then(...changes.map(({ key, value }) => op.put(key, value)), op.delete(third))
      .else(op.put(third, "made"))
      .commit();
    acknowledged.add(revision, succeeded ? [...changes, { key: third }] : [{ key: third, value: "made" }]);
  }

  async #grant(): Promise<void> {
    const { client, acknowledged } = this.#parts;
    const { id } = await client.lease.grant({ ttlSec: leaseTtlSec });
    acknowledged.leases.add(id);
    this.#lease = id;
  }

  async #revoke(): Promise<void> {
    const { client, acknowledged } = this.#parts;
    const lease = this.#lease;
    this.#lease = 0n;
    acknowledged.leases.delete(lease); // From here on nobody knows, until it is acknowledged.
    await client.lease.revoke(lease).catch((error: unknown) => {
      // Revoking twice does no harm, so the client tries again: an earlier try has come through before the kill.
      if (!(isConclaveError(error, "LEASE_NOT_FOUND") && error.maybeApplied)) throw error;
    });
    acknowledged.revokedLeases.add(lease);
  }

  /** Compacts only what is recorded, so that the record stays whole. */
  async #compact(): Promise<void> {
    const { client, random, history, acknowledged } = this.#parts;
    const revision = history.last - random.below(50);
    if (revision <= Math.max(1, acknowledged.compactedRevision)) return;
    await client.compact(revision);
    acknowledged.compactedRevision = Math.max(acknowledged.compactedRevision, revision);
  }
}
