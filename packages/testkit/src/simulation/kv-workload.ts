/**
 * @module Clients that read and write the same few keys and note what they asked and were told: the history that the
 * checkers judge. They try again what real clients try again, and nothing else.
 */
import type { Random } from "@conclave/base";
import {
  compareAndSwap,
  type HistoryRecorder,
  type KvAnswer,
  type KvOperation,
  sendOperation,
} from "@conclave/checkers";
import { type Client, isConclaveError } from "@conclave/client";
import type { SimulatedClient, SimulatedCluster } from "./simulated-cluster.ts";

/** What a workload is made of. */
export interface KvWorkloadOptions {
  /** The cluster. */
  readonly cluster: SimulatedCluster;
  /** Decides what is asked, and when. */
  readonly random: Random;
  /** Takes the history. */
  readonly recorder: HistoryRecorder<KvOperation, KvAnswer>;
  /** What every key starts with; default: `k/`. */
  readonly prefix?: string;
  /** How many clients there are; default: 4. */
  readonly clients?: number;
  /** How many keys there are; default: 4. Few keys make many meetings. */
  readonly keys?: number;
  /** Longest time that a client thinks between two operations, in ms; default: 250. */
  readonly thinkMs?: number;
  /** How long a client waits for an answer, in ms; default: 5 000. */
  readonly timeoutMs?: number;
  /**
   * Whether every client but the first knows a single member only, each another one, and stays with it whatever happens to
   * it; default: no, all know all.
   */
  readonly isPinned?: boolean;
  /** Up to which revision nobody needs the past any more, so that it may be compacted; default: it never is. */
  readonly compactTo?: () => number;
}

/** Whether an operation that failed may have taken effect. */
export function fateOf(error: unknown): "unknown" | "refused" {
  return isConclaveError(error) && !error.maybeApplied ? "refused" : "unknown";
}

/** Sends an operation as it is, once unless it provably changes nothing. */
export function sendKv(client: Client, operation: KvOperation, timeoutMs: number): Promise<KvAnswer> {
  return sendOperation(client.raw, operation, { timeoutMs });
}

/** Reads and writes until it is stopped. */
export class KvWorkload {
  readonly #options: Required<KvWorkloadOptions>;
  readonly #clients: readonly SimulatedClient[];
  /** The mod revision that a client last saw of a key. */
  readonly #seen = new Map<string, number>();
  #values = 0;
  #lastRevision = 0;
  #isStopped = false;
  /** How many operations were answered. */
  answered = 0;

  constructor(options: KvWorkloadOptions) {
    this.#options = {
      prefix: "k/",
      clients: 4,
      keys: 4,
      thinkMs: 250,
      timeoutMs: 5_000,
      isPinned: false,
      compactTo: () => 0,
      ...options,
    };
    const { cluster, clients, isPinned } = this.#options;
    const endpoints = [...cluster.machines.values()].map(({ endpoint }) => endpoint);
    this.#clients = Array.from({ length: clients }, (_, at) => {
      const only = at % endpoints.length;
      return cluster.client(isPinned && at > 0 ? { endpoints: endpoints.slice(only, only + 1) } : {});
    });
  }

  /** Lets the clients work until {@link KvWorkload.stop}; resolves when the last answer is there, or given up. */
  async run(): Promise<void> {
    await Promise.all(this.#clients.map((client) => this.#work(client)));
  }

  /** Lets no more operations begin. */
  stop(): void {
    this.#isStopped = true;
  }

  /** One read of every key by every client, and by one that knows the members that there are now. */
  async readAll(): Promise<void> {
    for (const client of [...this.#clients, this.#newcomer()])
      for (let key = 0; key < this.#options.keys; key++) await this.#send(client, { kind: "get", key: this.#key(key) });
  }

  async #work(client: SimulatedClient): Promise<void> {
    const { random, thinkMs } = this.#options;
    while (!this.#isStopped) {
      if (random.below(100) === 0) await this.#compact(client);
      await this.#send(client, this.#draw(client.name));
      await client.time.sleep(random.fraction() * thinkMs);
    }
  }

  async #compact({ client }: SimulatedClient): Promise<void> {
    const revision = this.#options.random.below(Math.min(this.#options.compactTo(), this.#lastRevision) + 1);
    // Another client may have compacted as far; like any call, it may also fail.
    if (revision > 1) await client.compact(revision, { timeoutMs: 2_000 }).catch(() => {});
  }

  /** Writes once more, so that there is something new to be seen. @returns its revision; undefined if it failed */
  async writeOnce(): Promise<number | undefined> {
    return (await this.#send(this.#newcomer(), { kind: "put", key: this.#key(0), value: this.#value() }))?.revision;
  }

  /** A client of the members that serve now: of those that the others know, all may have been removed. */
  #newcomer(): SimulatedClient {
    const { cluster } = this.#options;
    const serving = [...cluster.machines.values()].filter(({ state }) => state === "running");
    return cluster.client({ endpoints: serving.map(({ endpoint }) => endpoint) });
  }

  async #send({ name, client }: SimulatedClient, operation: KvOperation): Promise<KvAnswer | undefined> {
    const { recorder, timeoutMs } = this.#options;
    const answer = await recorder.record(name, {
      operation,
      send: () => sendKv(client, operation, timeoutMs),
      fate: fateOf,
    });
    if (answer === undefined) return undefined;
    this.answered++;
    this.#lastRevision = Math.max(this.#lastRevision, answer.revision);
    const { result } = answer;
    if (result.kind === "get") for (const item of result.items) this.#seen.set(`${name} ${item.key}`, item.modRevision);
    return answer;
  }

  #draw(client: string): KvOperation {
    const { random, keys } = this.#options;
    const key = this.#key(random.below(keys));
    const die = random.below(100);
    if (die < 30) return { kind: "put", key, value: this.#value() };
    if (die < 55) return { kind: "get", key };
    if (die < 60) return { kind: "get", key: this.#options.prefix, rangeEnd: `${this.#options.prefix}\xff` };
    if (die < 68) return { kind: "delete", key };
    if (die < 90) return this.#swap(client, key);
    return this.#move(key);
  }

  /** Puts a value if the key is as this client saw it last. */
  #swap(client: string, key: string): KvOperation {
    return compareAndSwap({ key, modRevision: this.#seen.get(`${client} ${key}`) ?? 0, value: this.#value() });
  }

  /** Writes two keys at once if one of them is there. */
  #move(key: string): KvOperation {
    const { random, keys } = this.#options;
    const other = this.#key(random.below(keys));
    if (other === key) return { kind: "get", key };
    return {
      kind: "txn",
      compare: [{ key, target: "version", result: "greater", operand: 0 }],
      success: [
        { kind: "delete", key },
        { kind: "put", key: other, value: this.#value() },
      ],
      failure: [{ kind: "put", key, value: this.#value() }],
    };
  }

  #key(at: number): string {
    return `${this.#options.prefix}${at}`;
  }

  #value(): string {
    return `v${++this.#values}`;
  }
}
