/**
 * @module A local copy of a range that answers as the cluster would. One watch feeds it; a linearizable read asks the
 * cluster only which revision is the present one, shared by all reads that wait, and is answered from the copy as soon
 * as that has come so far.
 */
import { binaryString, compareBytes, type Timer } from "@conclave/base";
import * as z from "zod";
import { type CallOptions, CallScope } from "../calls/call-scope.ts";
import type { CallPorts } from "../calls/unary-run.ts";
import type { ConclaveError } from "../conclave-error.ts";
import {
  type BytesInput,
  isOpenEnded,
  isSingleKey,
  type KeyRange,
  type RangeInput,
  singleKey,
  toBytes,
} from "../kv/key-range.ts";
import type { KeyValue } from "../kv/key-value.ts";
import type { Kv } from "../kv/kv.ts";
import { bytesInput, callFields, count, rangeInput, validate, validateOptions } from "../validate.ts";
import type { WatchBatch } from "../watch/watch-batch.ts";
import type { Watcher, WatchOptions } from "../watch/watch-options.ts";
import { SharedRead } from "./shared-read.ts";

/** How a mirror answers a read. */
export interface MirrorReadOptions extends CallOptions {
  /**
   * `"linearizable"`: as the cluster would now, which costs one small request shared by all reads that wait. `"local"`:
   * as the copy is, at {@link Mirror.revision}, without asking. A number: as the copy is once it has reached that
   * revision, such as that of one's own write. Default: `"linearizable"`.
   */
  readonly consistency?: "linearizable" | "local" | number | undefined;
}

/** A local copy of a range. */
export interface Mirror extends AsyncDisposable {
  /** The revision that the copy shows; 0 before it stands. */
  readonly revision: number;
  /** How many keys the copy has. */
  readonly size: number;
  /** Resolves when the copy stands. @throws the error the mirror ended with */
  ready(options?: CallOptions): Promise<void>;
  /** The key with its value; undefined if it is not there. The key must be in the range. */
  get(key: BytesInput, options?: MirrorReadOptions): Promise<KeyValue | undefined>;
  /** Every pair, in key order. */
  entries(options?: MirrorReadOptions): Promise<readonly KeyValue[]>;
  /** Resolves when the mirror has ended: with the error, or with undefined if it was closed. Never rejects. */
  readonly ended: Promise<ConclaveError | undefined>;
  /** Ends it. */
  close(): void;
}

/** What mirrors are made with. */
export interface MirrorPorts {
  /** Time and timers. */
  readonly ports: CallPorts;
  /** Reads. */
  readonly kv: Kv;
  /** Starts the watch. */
  readonly watch: (range: RangeInput, options: WatchOptions) => Watcher;
  /** Asks the member that the watch is on for its progress. */
  readonly requestProgress: () => void;
  /** Whether what it answers can be relied on. */
  readonly progressIsTrusted: () => boolean;
}

/** How often a member is asked for its progress while a read waits for it. */
const progressEveryMs = 100;
const readSchema = z.strictObject({
  ...callFields,
  consistency: z.union([z.enum(["linearizable", "local"]), count]).optional(),
});

/** Starts a mirror. */
export function createMirror(made: MirrorPorts, range: RangeInput): Mirror {
  validate(rangeInput, range, "range");
  return new WatchedMirror(made, typeof range === "string" || range instanceof Uint8Array ? singleKey(range) : range);
}

/** What the cluster holds of the range at a revision, as far as it takes to know whether the copy holds the same. */
interface Target {
  readonly revision: number;
  readonly count: number;
  /** The newest change among the keys that are there is this one or older; undefined if nothing was asked. */
  readonly newest: number | undefined;
}

class WatchedMirror implements Mirror {
  readonly ended: Promise<ConclaveError | undefined>;
  readonly #made: MirrorPorts;
  readonly #range: KeyRange;
  readonly #watcher: Watcher;
  readonly #present: SharedRead<Target>;
  readonly #waiting = new Set<() => void>();
  #pairs = new Map<string, KeyValue>();
  /** The pairs in key order, made when they are asked for. */
  #sorted: readonly KeyValue[] | undefined;
  #revision = 0;
  #asking: Timer | undefined;

  constructor(made: MirrorPorts, range: KeyRange) {
    this.#made = made;
    this.#range = range;
    this.#watcher = made.watch(range, { from: "snapshot", onCompaction: "resync", progress: true });
    this.#present = new SharedRead(() => this.#askPresent());
    this.ended = this.#watcher.ended;
    this.#watcher.on("batch", (batch) => this.#apply(batch));
    void this.ended.then(() => this.#wake());
  }

  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#pairs.size;
  }

  async ready(options: CallOptions = {}): Promise<void> {
    await this.#waitFor(() => this.#revision > 0, options);
  }

  async get(key: BytesInput, options: MirrorReadOptions = {}): Promise<KeyValue | undefined> {
    const bytes = toBytes(validate(bytesInput, key, "key"));
    validate(
      z.custom((given) => inRange(this.#range, given as Uint8Array), "expected a key of the mirrored range"),
      bytes,
      "key",
    );
    await this.#settle(options);
    return this.#pairs.get(binaryString(bytes));
  }

  async entries(options: MirrorReadOptions = {}): Promise<readonly KeyValue[]> {
    await this.#settle(options);
    this.#sorted ??= [...this.#pairs.values()].sort((left, right) => compareBytes(left.key, right.key));
    return this.#sorted;
  }

  close(): void {
    this.#watcher.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Waits until the copy may answer. */
  async #settle(options: MirrorReadOptions): Promise<void> {
    validateOptions(readSchema, options, "options of a read");
    const { consistency = "linearizable", ...call } = options;
    if (consistency === "local") return await this.#waitFor(() => this.#revision > 0, call);
    if (typeof consistency === "number") return await this.#waitFor(() => this.#hasReached(consistency), call);
    const { ports } = this.#made;
    using scope = new CallScope(ports, { ...call, timeoutMs: call.timeoutMs ?? ports.timeoutMs });
    await this.#waitFor(() => this.#revision > 0, { ...call, timeoutMs: scope.remainingMs });
    const target = await this.#present.read(scope);
    await this.#waitFor(() => this.#shows(target), { ...call, timeoutMs: scope.remainingMs });
  }

  /**
   * Asks which revision is the present one. Members that report no progress that can be trusted never say that nothing
   * has changed; so the count and the newest change tell: if every key that is there was last changed at or before the
   * copy's revision, the copy has them all as they are, and if it has no more than there are, it is the same.
   */
  async #askPresent(): Promise<Target> {
    const { kv, progressIsTrusted } = this.#made;
    if (progressIsTrusted()) {
      const { revision, count: keys } = await kv.range(this.#range, { countOnly: true });
      return { revision, count: keys, newest: undefined };
    }
    const since = this.#revision;
    const {
      revision,
      count: keys,
      kvs,
    } = await kv.range(this.#range, {
      minModRevision: since + 1,
      limit: 1,
      sortBy: "modRevision",
      order: "descending",
      keysOnly: true,
    });
    return { revision, count: keys, newest: kvs[0]?.modRevision ?? since };
  }

  #shows({ revision, count: keys, newest }: Target): boolean {
    if (this.#hasReached(revision)) return true;
    return newest !== undefined && newest <= this.#revision && keys === this.#pairs.size;
  }

  #hasReached(revision: number): boolean {
    return this.#revision > 0 && this.#revision >= revision;
  }

  async #waitFor(isReached: () => boolean, options: CallOptions): Promise<void> {
    const { ports } = this.#made;
    using scope = new CallScope(ports, { ...options, timeoutMs: options.timeoutMs ?? ports.timeoutMs });
    scope.throwIfEnded("a read of a mirror");
    let end: { readonly error: ConclaveError | undefined } | undefined;
    void this.ended.then((error) => {
      end = { error };
    });
    while (!isReached()) {
      await this.#nextChange(scope.signal);
      if (end?.error !== undefined) throw end.error;
      scope.throwIfEnded("a read of a mirror");
    }
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    this.#askForProgress();
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
    });
  }

  /** A quiet range is told nothing unless it is asked for. */
  #askForProgress(): void {
    if (this.#asking !== undefined || this.#revision === 0) return;
    this.#made.requestProgress();
    this.#asking = this.#made.ports.scheduler.after(progressEveryMs, () => {
      this.#asking = undefined;
      if (this.#waiting.size > 0) this.#askForProgress();
    });
  }

  #apply(batch: WatchBatch): void {
    if (batch.kind === "resync") this.#pairs = new Map(batch.snapshot.map((kv) => [binaryString(kv.key), kv]));
    else
      for (const { type, kv } of batch.events) {
        if (type === "put") this.#pairs.set(binaryString(kv.key), kv);
        else this.#pairs.delete(binaryString(kv.key));
      }
    if (batch.kind !== "progress") this.#sorted = undefined;
    this.#revision = batch.revision;
    this.#wake();
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}

function inRange(range: KeyRange, key: Uint8Array): boolean {
  if (isSingleKey(range)) return compareBytes(key, range.key) === 0;
  return compareBytes(key, range.key) >= 0 && (isOpenEnded(range) || compareBytes(key, range.rangeEnd) < 0);
}
