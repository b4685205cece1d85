/** @module Random runs of clients against the real store: histories that are right by construction. */
import { binaryString, type Random } from "@conclave/base";
import { createMemoryBackend, createMvccStore, MvccError, type MvccStore } from "@conclave/mvcc";
import { Event_EventType } from "@conclave/protocol/mvccpb";
import { seededRandom } from "@conclave/testkit";
import { type HistoryEvent, HistoryRecorder } from "../history.ts";
import {
  compareAndSwap,
  type KvAnswer,
  type KvCompare,
  type KvEvent,
  type KvGet,
  type KvOperation,
  type KvTxnOperation,
} from "../kv-operation.ts";
import { kvAnswer, kvEvent, kvRequest } from "../kv-protocol.ts";

/** How a run is made. */
export interface RandomRunOptions {
  readonly seed: number;
  readonly operations: number;
  readonly clients?: number;
  readonly keys?: number;
  /** Of 100 operations, how many have an outcome that is not known. */
  readonly unknownPercent?: number;
  /** Whether operations touch one key each; default `false`. */
  readonly singleKeys?: boolean;
  /** Whether keys are attached to leases and leases revoked; default `true`. */
  readonly leases?: boolean;
  /** How many values there are to put; few make mistakes harder to see. Default: every put has its own. */
  readonly values?: number;
}

/** A run. */
export interface RandomRun {
  readonly history: readonly HistoryEvent<KvOperation, KvAnswer>[];
  /** All events of the store. */
  readonly events: readonly KvEvent[];
  readonly store: MvccStore;
}

/** What a client is doing: nothing, or an operation that was not applied yet, or one that was. */
type Activity =
  | { readonly kind: "idle" }
  | { readonly kind: "sent"; readonly id: number; readonly operation: KvOperation; readonly lost: boolean }
  | { readonly kind: "applied"; readonly id: number; readonly answer: KvAnswer };

/** Makes a run; the same options give the same one. */
export function randomRun(options: RandomRunOptions): RandomRun {
  const { clients = 5 } = options;
  const random = seededRandom(options.seed);
  const laboratory = new Laboratory(options, random);
  const activities: Activity[] = Array.from({ length: clients }, () => ({ kind: "idle" }));
  let left = options.operations;
  while (left > 0 || activities.some(({ kind }) => kind !== "idle")) {
    const at = random.below(clients);
    const activity = activities[at] ?? { kind: "idle" };
    if (activity.kind === "idle" && left-- <= 0) continue;
    activities[at] = laboratory.advance(`client-${at}`, activity);
    if (random.below(10) === 0) laboratory.applyLate();
  }
  return laboratory.result();
}

class Laboratory {
  readonly #random: Random;
  readonly #options: Required<RandomRunOptions>;
  readonly #recorder: HistoryRecorder<KvOperation, KvAnswer>;
  readonly #leases = new Map<bigint, Set<string>>();
  readonly #endedLeases = new Set<bigint>();
  readonly #store: MvccStore;
  readonly #events: KvEvent[] = [];
  readonly #late: KvOperation[] = [];
  #time = 0;
  #writes = 0;

  constructor(options: RandomRunOptions, random: Random) {
    this.#options = { clients: 5, keys: 5, unknownPercent: 5, singleKeys: false, leases: true, values: 0, ...options };
    this.#random = random;
    this.#recorder = new HistoryRecorder({ monotonicMs: () => this.#time++ });
    this.#store = createMvccStore({
      backend: createMemoryBackend(),
      leases: {
        exists: (lease) => !this.#endedLeases.has(lease),
        attach: (lease, key) => void this.#leases.set(lease, (this.#leases.get(lease) ?? new Set()).add(key)),
        detach: (lease, key) => void this.#leases.get(lease)?.delete(key),
      },
    });
    this.#store.onCommit((_, events) => {
      for (const event of events) {
        const prevKv = event.prevKv();
        const type = event.type === "put" ? Event_EventType.PUT : Event_EventType.DELETE;
        this.#events.push(kvEvent({ type, kv: event.kv, prevKv }));
      }
    });
  }

  advance(client: string, activity: Activity): Activity {
    switch (activity.kind) {
      case "idle": {
        const operation = this.#operation();
        const lost = this.#random.below(100) < this.#options.unknownPercent;
        return { kind: "sent", id: this.#recorder.invoke(client, operation), operation, lost };
      }
      case "sent":
        return this.#take(activity);
      case "applied":
        this.#recorder.returned(activity.id, activity.answer);
        return { kind: "idle" };
    }
  }

  #take({ id, operation, lost }: Extract<Activity, { kind: "sent" }>): Activity {
    if (lost) {
      this.#lose(operation);
      this.#recorder.unknown(id);
      return { kind: "idle" };
    }
    const answer = this.#tryToApply(operation);
    if (answer !== undefined) return { kind: "applied", id, answer };
    this.#recorder.refused(id, "requested lease not found");
    return { kind: "idle" };
  }

  /** Applies something whose client has given up long ago. */
  applyLate(): void {
    const operation = this.#late.shift();
    if (operation !== undefined) this.#tryToApply(operation);
  }

  result(): RandomRun {
    return { history: this.#recorder.events, events: this.#events, store: this.#store };
  }

  /** An operation whose answer is lost was applied, will be applied late, or never. */
  #lose(operation: KvOperation): void {
    const fate = this.#random.below(3);
    if (fate === 0) this.#tryToApply(operation);
    else if (fate === 1) this.#late.push(operation);
  }

  /** The answer, or `undefined` if a lease that has ended stands in the way; then nothing was changed. */
  #tryToApply(operation: KvOperation): KvAnswer | undefined {
    try {
      return this.#apply(operation);
    } catch (error) {
      if (error instanceof MvccError && error.code === "LEASE_NOT_FOUND") return undefined;
      throw error;
    }
  }

  #apply(operation: KvOperation): KvAnswer {
    const { kind, request } = kvRequest(operation);
    switch (kind) {
      case "put":
        return kvAnswer(this.#store.put(request));
      case "range":
        return kvAnswer(this.#store.range(request));
      case "deleteRange":
        return kvAnswer(this.#store.deleteRange(request));
      case "txn":
        return kvAnswer(this.#store.txn(request));
      case "leaseRevoke":
        if (this.#endedLeases.has(request.ID)) throw new MvccError("LEASE_NOT_FOUND");
        this.#endedLeases.add(request.ID);
        this.#store.deleteKeys([...(this.#leases.get(request.ID) ?? [])].sort());
        return { revision: this.#store.currentRevision, result: { kind: "revoke" } };
    }
  }

  #operation(): KvOperation {
    const die = this.#random.below(100);
    if (die < 30) return this.#put();
    if (die < 60) return this.#get();
    if (die < 70) return { kind: "delete", ...this.#range() };
    if (die < 85) return compareAndSwap({ key: this.#key(), modRevision: this.#modRevision(), value: this.#value() });
    if (die < 97 || !this.#options.leases) return this.#txn();
    return { kind: "revoke", lease: this.#lease() };
  }

  #put(): KvTxnOperation {
    const lease = !this.#options.leases || this.#random.below(5) > 0 ? {} : { lease: this.#lease() };
    return { kind: "put", key: this.#key(), value: this.#value(), ...lease };
  }

  #get(): KvGet {
    const get: KvGet = { kind: "get", ...this.#range() };
    const newest = this.#store.currentRevision;
    const options: readonly Partial<KvGet>[] = [
      {},
      {},
      {},
      { limit: 2 },
      { keysOnly: true },
      { countOnly: true },
      { serializable: true },
      { revision: 1 + this.#random.below(newest) },
      { maxCreateRevision: newest, sort: { by: "create", descending: true }, limit: 1 },
      { maxCreateRevision: 1 + this.#random.below(newest) },
      { sort: { by: this.#pick(["key", "mod", "version", "value"]) }, limit: 2 },
    ];
    return { ...get, ...this.#pick(options) };
  }

  #txn(): KvOperation {
    const compare = Array.from({ length: 1 + this.#random.below(2) }, () => this.#condition());
    if (this.#options.singleKeys) {
      const key = compare[0]?.key ?? this.#key();
      return {
        kind: "txn",
        compare: compare.slice(0, 1),
        success: [{ kind: "get", key }],
        failure: [{ kind: "put", key, value: this.#value() }],
      };
    }
    const inner: KvTxnOperation = { kind: "txn", compare, success: [this.#put()], failure: [this.#get()] };
    return { kind: "txn", compare, success: [this.#put(), this.#get()], failure: [this.#get(), inner] };
  }

  #condition(): KvCompare {
    const small = this.#random.below(3);
    const conditions: readonly Pick<KvCompare, "target" | "operand">[] = [
      { target: "version", operand: small },
      { target: "create", operand: small === 0 ? 0 : this.#random.below(this.#store.currentRevision) },
      { target: "mod", operand: small === 0 ? 0 : this.#random.below(this.#store.currentRevision) },
      { target: "value", operand: `value-${small}` },
      { target: "lease", operand: `${small}` },
    ];
    const result = this.#pick(["equal", "notEqual", "less", "greater"] as const);
    return { ...this.#range(), ...this.#pick(conditions), result };
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)] as T;
  }

  #range(): { readonly key: string; readonly rangeEnd?: string } {
    const key = this.#key();
    return this.#options.singleKeys || this.#random.below(2) === 0 ? { key } : { key, rangeEnd: "key-9" };
  }

  /** One of three leases; there are three more for each that has ended, so that some are still used that have. */
  #lease(): string {
    return `${1 + this.#endedLeases.size + this.#random.below(3)}`;
  }

  #key(): string {
    return `key-${binaryString(Uint8Array.of(48 + this.#random.below(this.#options.keys)))}`;
  }

  #value(): string {
    const { values } = this.#options;
    return `value-${values === 0 ? ++this.#writes : this.#random.below(values)}`;
  }

  /** A mod revision that may be the right one. */
  #modRevision(): number {
    const recent = this.#events
      .slice(-this.#options.keys)
      .map((event) => (event.type === "put" ? event.item.modRevision : 0));
    return recent[this.#random.below(recent.length + 1)] ?? 0;
  }
}
