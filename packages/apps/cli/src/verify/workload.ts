/** @module Clients that read and write the same few keys at a common pace, and note what they asked and were told. */
import type { Random } from "@conclave/base";
import {
  compareAndSwap,
  type HistoryRecorder,
  type KvAnswer,
  type KvOperation,
  type KvServices,
  sendOperation,
} from "@conclave/checkers";
import { type ClientView, isConclaveError, type RawCallOptions, sleep } from "@conclave/client";
import type { KeySpace } from "./key-space.ts";

/** What a workload is made of. */
export interface WorkloadOptions {
  /** Where operations are sent. */
  readonly services: KvServices<RawCallOptions>;
  /** The members, at least one: each client keeps to one until an operation fails there. */
  readonly endpoints: readonly string[];
  /** Takes the history. */
  readonly recorder: HistoryRecorder<KvOperation, KvAnswer>;
  /** Time, timers and chance. */
  readonly ports: ClientView["ports"];
  /** The keys. */
  readonly space: KeySpace;
  /** How many clients there are. */
  readonly clients: number;
  /** Operations that all of them begin in a second, together. */
  readonly ratePerSec: number;
  /** How long they begin new ones, in milliseconds. */
  readonly durationMs: number;
  /** How long a client waits for an answer, in milliseconds. */
  readonly timeoutMs: number;
}

/** One client and the member it is at. */
interface Caller {
  readonly name: string;
  endpointAt: number;
}

/** What became of the operations so far. */
export interface OperationCounts {
  /** Those that were answered. */
  readonly answered: number;
  /** Those of which nobody knows whether they took effect. */
  readonly unknown: number;
  /** Those that certainly took no effect. */
  readonly refused: number;
}

/** Reads and writes for a time. */
export class Workload {
  readonly #options: WorkloadOptions;
  /** The mod revision that a client last saw of a key. */
  readonly #seen = new Map<string, number>();
  /** Who writes the marks: keeps away from members that do not answer. */
  readonly #marking: Caller;
  #values = 0;
  #sent = 0;
  #answered = 0;
  #unknown = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#marking = this.#caller(options.clients);
  }

  /** What became of the operations so far. */
  get counts(): OperationCounts {
    return { answered: this.#answered, unknown: this.#unknown, refused: this.#sent - this.#answered - this.#unknown };
  }

  /** Lets the clients work until the time is over or the signal aborts; resolves when the last one has its answer. */
  async run(signal: AbortSignal): Promise<void> {
    const { clients, ports } = this.#options;
    const pace = { startMs: ports.clock.monotonicMs(), begun: 0 };
    const work = async (at: number): Promise<void> => {
      const caller = this.#caller(at);
      while (await this.#turn(pace, signal)) await this.#send(caller, this.#draw(caller.name));
    };
    await Promise.all(Array.from({ length: clients }, (_, at) => work(at)));
  }

  /** Reads every key at every member that answers, with what the member alone knows and with what all agree on. */
  async readAll(): Promise<void> {
    const { endpoints, space } = this.#options;
    const readAt = async (at: number): Promise<void> => {
      const caller = this.#caller(at);
      const answer = await this.#send(caller, { kind: "get", ...space.range, serializable: true });
      if (answer === undefined) return;
      for (const key of space.keys) await this.#send(caller, { kind: "get", key });
    };
    await Promise.all([...endpoints.keys()].map(readAt));
  }

  /** Writes to show where the history ends. @returns the revision; undefined if there was no answer */
  async mark(): Promise<number | undefined> {
    const { marker } = this.#options.space;
    const answer = await this.#send(this.#marking, { kind: "put", key: marker, value: this.#value() });
    return answer?.revision;
  }

  /** Waits for the next place in the common pace; false when the time is over. */
  async #turn(pace: { readonly startMs: number; begun: number }, signal: AbortSignal): Promise<boolean> {
    const { ports, ratePerSec, durationMs } = this.#options;
    const elapsedMs = ports.clock.monotonicMs() - pace.startMs;
    const dueMs = (pace.begun++ * 1_000) / ratePerSec;
    if (signal.aborted || Math.max(elapsedMs, dueMs) >= durationMs) return false;
    return dueMs <= elapsedMs || (await sleep(ports.scheduler, dueMs - elapsedMs, signal));
  }

  #caller(at: number): Caller {
    return { name: `client-${at + 1}`, endpointAt: at % this.#options.endpoints.length };
  }

  async #send(caller: Caller, operation: KvOperation): Promise<KvAnswer | undefined> {
    const { recorder, services, endpoints, timeoutMs } = this.#options;
    const endpoint = endpoints[caller.endpointAt];
    this.#sent++;
    const answer = await recorder.record(caller.name, {
      operation,
      send: () => sendOperation(services, operation, { endpoint, timeoutMs }),
      fate: (error) => this.#fateOf(error),
      // What one member says alone may be old, and older again after its restart: such reads stand for themselves.
      session: `${caller.name} #${this.#sent}`,
    });
    if (answer === undefined) caller.endpointAt = (caller.endpointAt + 1) % endpoints.length;
    else this.#take(caller, answer);
    return answer;
  }

  #fateOf(error: unknown): "unknown" | "refused" {
    if (isConclaveError(error) && !error.maybeApplied) return "refused";
    this.#unknown++;
    return "unknown";
  }

  #take({ name }: Caller, { result }: KvAnswer): void {
    this.#answered++;
    if (result.kind === "get") for (const item of result.items) this.#seen.set(`${name} ${item.key}`, item.modRevision);
  }

  #draw(client: string): KvOperation {
    const { random } = this.#options.ports;
    const { range, keys } = this.#options.space;
    const key = anyOf(keys, random);
    const die = random.below(100);
    if (die < 30) return { kind: "put", key, value: this.#value() };
    if (die < 55) return { kind: "get", key };
    if (die < 60) return { kind: "get", ...range, serializable: true };
    if (die < 65) return { kind: "get", ...range };
    if (die < 73) return { kind: "delete", key };
    if (die < 90) return this.#swap(client, key);
    return this.#move(key, anyOf(keys, random));
  }

  /** Puts a value if the key is as this client saw it last. */
  #swap(client: string, key: string): KvOperation {
    return compareAndSwap({ key, modRevision: this.#seen.get(`${client} ${key}`) ?? 0, value: this.#value() });
  }

  /** Changes two keys in one revision if one of them is there. */
  #move(key: string, other: string): KvOperation {
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

  #value(): string {
    return `v${++this.#values}`;
  }
}

function anyOf(keys: readonly string[], random: Random): string {
  return keys[random.below(keys.length)] ?? "";
}
