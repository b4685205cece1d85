/** @module The same history told to others: a member that knows only the log, and a real etcd. Their hashes must agree. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient, op } from "@conclave/client";
import { type EtcdProcess, startEtcd, startMemberProcess } from "@conclave/testkit";
import type { RecordedHistory } from "./recorded-history.ts";

/** The hash of a history, and the revisions it is of. */
export interface HistoryHash {
  readonly revision: number;
  readonly compactRevision: number;
  readonly hash: number;
}

/** The hash of everything a member has. */
export async function hashOf(client: Client): Promise<HistoryHash> {
  const { header, hash, compactRevision } = await client.maintenance.hashKv();
  return { revision: header.revision, compactRevision, hash };
}

/** A log that was copied without the store that belongs to it. */
export interface CopiedLog extends AsyncDisposable {
  /** Starts a member that has to replay all of it, and gives back its hash. */
  replayedHash(flags: readonly string[]): Promise<HistoryHash>;
}

/** Copies the log of a member that does not run. */
export async function copyLog(dataDir: string): Promise<CopiedLog> {
  const copy = await mkdtemp(join(tmpdir(), "conclave-replay-"));
  const store = join(dataDir, "member", "store");
  await cp(dataDir, copy, { recursive: true, filter: (path) => path !== store });
  return {
    async replayedHash(flags) {
      await using member = await startMemberProcess({ flags: [...flags, `--data-dir=${copy}`] });
      await using client = createClient({ endpoints: [member.endpoint] });
      return await hashOf(client);
    },
    [Symbol.asyncDispose]: () => rm(copy, { recursive: true, force: true }),
  };
}

/** A real etcd that is given the same changes, one revision after the other. */
export class EtcdReplay implements AsyncDisposable {
  readonly #etcd: EtcdProcess;
  readonly #client: Client;
  readonly #leases = new Set<bigint>();
  #revision = 1;
  #compactRevision = 0;

  private constructor(etcd: EtcdProcess) {
    this.#etcd = etcd;
    this.#client = createClient({ endpoints: [etcd.endpoint] });
  }

  static async start(): Promise<EtcdReplay> {
    return new EtcdReplay(await startEtcd());
  }

  /** Brings it up to a revision and gives back its hash. */
  async hashAt(history: RecordedHistory, { revision, compactRevision }: HistoryHash): Promise<HistoryHash> {
    while (this.#revision < revision) await this.#replay(history, this.#revision + 1);
    if (compactRevision > this.#compactRevision) {
      await this.#client.compact(compactRevision, { physical: true });
      this.#compactRevision = compactRevision;
    }
    return await hashOf(this.#client);
  }

  async #replay(history: RecordedHistory, revision: number): Promise<void> {
    const events = history.revisions.get(revision);
    if (events === undefined) throw new Error(`no change of revision ${revision} was told`);
    for (const { kv } of events) await this.#grant(kv.lease);
    const ops = events.map(({ type, kv }) =>
      type === "put" ? op.put(kv.key, kv.value, { lease: kv.lease }) : op.delete(kv.key),
    );
    const result = await this.#client
      .txn()
      .then(...ops)
      .commit();
    if (result.revision !== revision) throw new Error(`etcd made revision ${result.revision} of revision ${revision}`);
    this.#revision = revision;
  }

  async #grant(id: bigint): Promise<void> {
    if (id === 0n || this.#leases.has(id)) return;
    await this.#client.lease.grant({ id, ttlSec: 1_000_000 });
    this.#leases.add(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    await this.#etcd[Symbol.asyncDispose]();
  }
}
