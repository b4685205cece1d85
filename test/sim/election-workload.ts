/**
 * @module Candidates that lead, write under their fence, hand over and fall, with one among them that stands as etcd's Go
 * package does: it waits for the keys before its own and never looks at its own again. No two may lead at a moment, no
 * write of a former leader may be carried out, and nobody may be observed as a leader who was none.
 */
import type { Random } from "@conclave/base";
import { compare, op, prefix } from "@conclave/client";
import { createElection, type LeaderTerm, type ObservedLeader } from "@conclave/election";
import type { SimulatedClient, SimulatedCluster } from "@conclave/testkit";

/** The election, and the key that its leaders write their fence to. */
const electionName = "election";
const fencedKey = "fenced";
const ttlSec = 3;
const callMs = 2_000;

/** Whoever takes itself for the leader. */
interface Reigning {
  readonly fence: number;
  readonly held: boolean;
}

/** What the workload is made of. */
export interface ElectionWorkloadOptions {
  /** The cluster. */
  readonly cluster: SimulatedCluster;
  /** Decides what leaders do. */
  readonly random: Random;
}

/** Candidates and an observer, until it is stopped. */
export class ElectionWorkload {
  /** What must not be. */
  readonly violations: string[] = [];
  /** How often somebody was elected. */
  elected = 0;
  /** How often leadership was handed to a candidate that was chosen. */
  handovers = 0;
  readonly #cluster: SimulatedCluster;
  readonly #random: Random;
  readonly #stop = new AbortController();
  readonly #reigning = new Map<string, Reigning>();
  readonly #observed: ObservedLeader[] = [];
  readonly #observer: SimulatedClient;
  readonly #leaders: readonly SimulatedClient[];
  readonly #goClient: SimulatedClient;

  constructor({ cluster, random }: ElectionWorkloadOptions) {
    this.#cluster = cluster;
    this.#random = random;
    this.#leaders = [cluster.client(), cluster.client(), cluster.client()];
    this.#goClient = cluster.client();
    this.#observer = cluster.client();
  }

  /** The machines of the candidates, to be stopped and cut off. */
  get candidates(): readonly string[] {
    return [...this.#leaders, this.#goClient].map(({ name }) => name);
  }

  /** Lets everybody work until {@link ElectionWorkload.stop}. */
  async run(): Promise<void> {
    const observing = new AbortController();
    const observed = this.#observe(observing.signal);
    await Promise.all([
      ...this.#leaders.map((candidate, at) => this.#lead(candidate, at)),
      this.#standAsGoDoes(this.#goClient),
    ]);
    observing.abort();
    await observed;
  }

  /** Lets nobody stand any more. */
  stop(): void {
    this.#stop.abort();
  }

  /** Compares what was observed and written with what the store remembers. */
  async check(): Promise<void> {
    const { client } = this.#observer;
    for (const [at, { key, value, asOf: revision }] of this.#observed.entries()) {
      const first = { revision, sortBy: "createRevision", limit: 1 } as const;
      const [leader] = (await client.range(prefix(`${electionName}/`), first)).kvs;
      if (leader?.keyString !== key || leader.valueString !== value)
        this.#violated(`${key} was observed at revision ${revision} while ${leader?.keyString} led`);
      const before = this.#observed[at - 1];
      if (before !== undefined && before.asOf >= revision)
        this.#violated(`revision ${revision} was observed after ${before.asOf}`);
    }
    await this.#checkFences();
  }

  /** Fences of the writes that were carried out never go back, whoever was told what of them. */
  async #checkFences(): Promise<void> {
    const { client } = this.#observer;
    const last = await client.get(fencedKey);
    let highest = 0;
    for (let revision = last?.createRevision ?? 1; revision <= (last?.modRevision ?? 0); revision++) {
      const fence = Number((await client.get(fencedKey, { revision }))?.valueString);
      if (fence < highest) this.#violated(`fence ${fence} was written at revision ${revision}, after ${highest}`);
      highest = Math.max(highest, fence);
    }
  }

  async #observe(signal: AbortSignal): Promise<void> {
    const election = createElection(this.#observer.client, electionName);
    try {
      for await (const leader of election.observe({ signal })) this.#observed.push(leader);
    } catch (error) {
      if (!signal.aborted) this.#violated(`observe() ended: ${String(error)}`);
    }
  }

  async #lead(candidate: SimulatedClient, priority: number): Promise<void> {
    const { client, name: id } = candidate;
    const election = createElection(client, electionName, { ttlSec });
    election.on("handedOver", () => this.handovers++);
    const options = { id, value: id, priority, signal: this.#stop.signal, drainMs: 1_500 };
    const yieldsToPriority = this.#random.below(3) === 0;
    while (!this.#stop.signal.aborted)
      await election.lead((term) => this.#reign(candidate, term), { ...options, yieldsToPriority });
  }

  async #reign({ name, time }: SimulatedClient, term: LeaderTerm): Promise<void> {
    this.#begin(name, term);
    const rounds = 1 + this.#random.below(8);
    for (let round = 0; round < rounds && !term.signal.aborted; round++) {
      await this.#writeFenced(term);
      await time.sleep(this.#random.fraction() * 600);
    }
    if (this.#random.below(2) === 0) await term.handOver({ to: this.#anyone(), timeoutMs: callMs }).catch(() => {});
    // One who has been told to end, or has lost, may write once more: the guard decides.
    await this.#writeFenced(term);
  }

  /** A candidate's id, or nobody's in particular. */
  #anyone(): string | undefined {
    return [undefined, ...this.candidates][this.#random.below(5)];
  }

  async #writeFenced(term: LeaderTerm): Promise<void> {
    await term.txn([op.put(fencedKey, `${term.fence}`)], { timeoutMs: callMs }).catch(() => {});
  }

  /** What `Campaign` and `Resign` of Go's `concurrency.Election` do to the store; its session is ours. */
  async #standAsGoDoes(candidate: SimulatedClient): Promise<void> {
    const { client, time, name } = candidate;
    while (!this.#stop.signal.aborted) {
      await time.sleep(this.#random.fraction() * 2_000);
      const session = await client.session({ ttlSec, timeoutMs: 5_000 }).catch(() => undefined);
      if (session === undefined) continue;
      const signal = AbortSignal.any([session.signal, this.#stop.signal]);
      const key = `${electionName}/${session.lease.toString(16)}`;
      try {
        const { revision } = await client.put(key, name, { lease: session.lease, signal });
        while (await this.#waitsForAnother(candidate, revision, signal)) await time.sleep(50);
        this.#begin(name, {
          fence: revision,
          get held() {
            return session.held;
          },
        });
        const guard = compare.createRevision(key).equal(revision);
        const write = client
          .txn()
          .if(guard)
          .then(op.put(fencedKey, `${revision}`));
        await write.commit({ timeoutMs: callMs });
        await time.sleep(this.#random.fraction() * 1_500);
      } catch {
        // What keeps it from leading is no fault.
      } finally {
        this.#reigning.delete(name);
        await session.close({ timeoutMs: callMs }).catch(() => {});
      }
    }
  }

  async #waitsForAnother({ client }: SimulatedClient, revision: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const before = { maxCreateRevision: revision - 1, limit: 1, keysOnly: true, signal, timeoutMs: callMs } as const;
    return (await client.range(prefix(`${electionName}/`), before)).kvs.length > 0;
  }

  #begin(name: string, reigning: Reigning): void {
    this.elected++;
    for (const [other, { held, fence }] of this.#reigning)
      if (other !== name && held && reigning.held)
        this.#violated(`${name} leads (fence ${reigning.fence}) while ${other} does (fence ${fence})`);
    this.#reigning.set(name, reigning);
  }

  #violated(message: string): void {
    this.violations.push(`at ${this.#cluster.time.monotonicMs()} ms: ${message}`);
  }
}
