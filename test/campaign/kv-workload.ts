/**
 * @module Clients that read and write a cluster through whatever is done to it, and record what they ask and are told.
 * What they were acknowledged must be there at the end, and the record must be linearizable.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "@conclave/base";
import { type Client, createClient, isConclaveError, prefix } from "@conclave/client";
import {
  checkKvLinearizability,
  compareAndSwap,
  HistoryRecorder,
  type KvAnswer,
  type KvOperation,
  kvAnswer,
  kvRequest,
  linearizabilityText,
  operationsOf,
  seededRandom,
} from "@conclave/testkit";
import { LostWrite } from "./recorded-history.ts";

/** How to make clients. */
export interface KvWorkloadOptions {
  /** The members they know. */
  readonly endpoints: readonly string[];
  /** How many clients, each with one call at a time; default: 6. */
  readonly clients?: number;
  /** What their keys begin with; default: `run`. The store must be without such keys. */
  readonly name?: string;
  /** Decides what they ask, as far as the answers let it; default: 1. */
  readonly seed?: number;
}

/** How long calls may take: longer than an election, shorter than the patience of a test. */
const timeoutMs = 5_000;
const pauseMsMax = 25;
const patienceMsDefault = 30_000;
/** Keys that all clients share at a time; the next round has others, so that no search has to go through them all. */
const keysPerRound = 4;

/** Clients under way. Disposing of it ends them. */
export class KvWorkload implements AsyncDisposable {
  readonly #recorder = new HistoryRecorder<KvOperation, KvAnswer>({ monotonicMs: () => performance.now() });
  readonly #clients: readonly Client[];
  readonly #name: string;
  readonly #random: Random;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;
  readonly #acknowledged: string[] = [];
  readonly #keys = new Set<string>();
  #answered = 0;
  #round = 0;

  constructor({ endpoints, clients = 6, name = "run", seed = 1 }: KvWorkloadOptions) {
    this.#name = name;
    this.#random = seededRandom(seed);
    this.#clients = Array.from({ length: clients }, () => createClient({ endpoints, timeoutMs }));
    this.#running = Promise.all(this.#clients.map((client, at) => this.#work(client, `client-${at}`)));
  }

  /** Operations that were answered so far. */
  get answered(): number {
    return this.#answered;
  }

  /** Goes on with other keys. */
  nextRound(): void {
    this.#round += 1;
  }

  /** When the first call was answered that was made at or after a time, both by `performance.now()`. */
  firstAnswerSince(sinceMs: number): number | undefined {
    const invoked = new Set<number>();
    for (const event of this.#recorder.events) {
      if (event.type === "invoke" && event.atMs >= sinceMs) invoked.add(event.id);
      if (event.type === "return" && invoked.has(event.id)) return event.atMs;
    }
    return undefined;
  }

  /**
   * Resolves when a call that was made from now on has been answered.
   *
   * @returns how long that took, in milliseconds
   */
  async untilServed({ patienceMs = patienceMsDefault }: { readonly patienceMs?: number } = {}): Promise<number> {
    const sinceMs = performance.now();
    for (;;) {
      const answeredMs = this.firstAnswerSince(sinceMs);
      if (answeredMs !== undefined) return answeredMs - sinceMs;
      if (performance.now() - sinceMs > patienceMs) throw new Error(`no client was answered within ${patienceMs} ms`);
      await sleep(5);
    }
  }

  /** Resolves when so many calls that were made from now on have been answered: the cluster serves. */
  async serves(calls = 30): Promise<void> {
    await this.untilServed();
    const goal = this.answered + calls;
    const deadline = performance.now() + patienceMsDefault;
    while (this.answered < goal) {
      if (performance.now() > deadline)
        throw new Error(`no ${calls} calls were answered within ${patienceMsDefault} ms`);
      await sleep(5);
    }
  }

  /**
   * Ends the clients, looks for everything that was acknowledged and checks the record.
   *
   * @returns how many operations were checked
   * @throws LostWrite if something acknowledged is not there; Error if the record is not linearizable
   */
  async verify(): Promise<number> {
    await this.#end();
    const [client] = this.#clients;
    if (client === undefined) throw new TypeError("a workload has a client");
    const there = new Set((await client.range(prefix(`${this.#name}/once/`))).kvs.map(({ keyString }) => keyString));
    const lost = this.#acknowledged.filter((key) => !there.has(key));
    if (lost.length > 0) throw new LostWrite(`acknowledged and gone: ${lost.join(", ")}`);
    // One by one: a read of all of them together would have all be searched together.
    for (const key of this.#keys) await this.#ask(client, "reader", { kind: "get", key });
    const verdict = checkKvLinearizability(operationsOf(this.#recorder.events));
    if (verdict.kind !== "ok") throw new Error(linearizabilityText(verdict));
    return verdict.checked;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  async #end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #work(client: Client, name: string): Promise<void> {
    /** The revision at which this client has last seen each key. */
    const seen = new Map<string, number>();
    for (let count = 0; !this.#stop.signal.aborted; count++) {
      const operation = this.#choose(`${name}.${count}`, seen);
      const answer = await this.#ask(client, name, operation);
      if (answer !== undefined) {
        this.#answered += 1;
        noteRevision(seen, operation, answer);
      }
      if (count % 5 === 0) await this.#writeOnce(client, `${this.#name}/once/${name}/${count}`);
      await sleep(this.#random.below(pauseMsMax));
    }
  }

  #choose(value: string, seen: ReadonlyMap<string, number>): KvOperation {
    const key = `${this.#name}/shared/${this.#round}/${this.#random.below(keysPerRound)}`;
    this.#keys.add(key);
    const die = this.#random.below(100);
    if (die < 45) return { kind: "get", key };
    if (die < 75) return { kind: "put", key, value };
    if (die < 90) return compareAndSwap({ key, modRevision: seen.get(key) ?? 0, value });
    return { kind: "delete", key };
  }

  #ask(client: Client, name: string, operation: KvOperation): Promise<KvAnswer | undefined> {
    return this.#recorder.record(name, { operation, send: () => send(client, operation), fate });
  }

  /** Keys that are written once tell plainly whether an acknowledged write is there. */
  async #writeOnce(client: Client, key: string): Promise<void> {
    try {
      await client.put(key, "");
      this.#acknowledged.push(key);
    } catch (error) {
      if (!isConclaveError(error)) throw error;
    }
  }
}

async function send(client: Client, operation: KvOperation): Promise<KvAnswer> {
  const { kind, request } = kvRequest(operation);
  switch (kind) {
    case "put":
      return kvAnswer(await client.raw.kv.put(request));
    case "range":
      return kvAnswer(await client.raw.kv.range(request));
    case "deleteRange":
      return kvAnswer(await client.raw.kv.deleteRange(request));
    case "txn":
      return kvAnswer(await client.raw.kv.txn(request));
    case "leaseRevoke":
      return kvAnswer(await client.raw.lease.leaseRevoke(request));
  }
}

/** @throws what is no error of the client: a fault of the test itself */
function fate(error: unknown): "unknown" | "refused" {
  if (!isConclaveError(error)) throw error;
  return error.maybeApplied || error.code === "TIMEOUT" ? "unknown" : "refused";
}

function noteRevision(seen: Map<string, number>, operation: KvOperation, { result }: KvAnswer): void {
  const items = result.kind === "get" ? result.items : [];
  for (const { key, modRevision } of items) seen.set(key, modRevision);
  if (operation.kind === "delete") seen.delete(operation.key);
}
