/**
 * @module The simplest store that is right: a list of all versions of all keys, from which every read starts anew.
 * It never deletes anything. Requests are expected to have passed the request checks.
 */
import { binaryString, concatBytes, crc32c, utf8 } from "@conclave/base";
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "@conclave/protocol/etcdserverpb";
import { KeyValue } from "@conclave/protocol/mvccpb";

/** What the store answers, in a form that compares well. */
export type ModelAnswer = Record<string, unknown>;

interface Version {
  readonly key: string;
  readonly main: number;
  readonly sub: number;
  /** Undefined for a tombstone. */
  readonly kv: KeyValue | undefined;
}

/** The error that a request runs into, by its code. */
export class ModelError extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** A pair in a form that compares well. */
export function describeKv({ key, value, ...rest }: KeyValue): ModelAnswer {
  return { key: binaryString(key), value: binaryString(value), ...rest };
}

export class ModelStore {
  readonly versions: Version[] = [];
  currentRevision = 1;
  compactRevision = -1;
  readonly #leaseExists: (lease: bigint) => boolean;
  /** Versions before the transaction under way. */
  #committed = 0;

  constructor(leaseExists: (lease: bigint) => boolean) {
    this.#leaseExists = leaseExists;
  }

  range(request: RangeRequest): ModelAnswer {
    return this.#range(request, this.currentRevision);
  }

  put(request: PutRequest): ModelAnswer {
    this.#checkLease(request);
    this.#checkKept(request);
    return this.#transact(() => this.#put(request));
  }

  deleteRange(request: DeleteRangeRequest): ModelAnswer {
    return this.#transact(() => this.#deleteRange(request));
  }

  deleteKeys(keys: readonly string[]): number {
    const live = this.live(this.currentRevision).map(({ key }) => binaryString(key));
    const deleted = live.filter((key) => keys.includes(key));
    this.#transact(() => {
      for (const key of deleted) this.#append(key, undefined);
      return {};
    });
    return deleted.length;
  }

  txn(request: TxnRequest): ModelAnswer {
    const chosen = this.#choose(request);
    for (const operation of chosen.flat) {
      if (operation?.$case !== "requestPut") continue;
      this.#checkKept(operation.value);
      this.#checkLease(operation.value);
    }
    for (const operation of chosen.flat) {
      if (operation?.$case !== "requestRange" || operation.value.revision === 0n) continue;
      if (operation.value.revision > this.currentRevision) throw new ModelError("FUTURE_REVISION");
      if (operation.value.revision < this.compactRevision) throw new ModelError("COMPACTED");
    }
    return this.#transact(() => ({
      succeeded: chosen.succeeded,
      responses: this.#execute(chosen),
      revision: this.#revision,
    }));
  }

  compact(revision: number): void {
    if (revision <= this.compactRevision) throw new ModelError("COMPACTED");
    if (revision > this.currentRevision) throw new ModelError("FUTURE_REVISION");
    this.compactRevision = revision;
  }

  /** The versions that make the history from one revision to before another, of keys that are wanted. */
  history(from: number, to: number, accepts: (key: string) => boolean): ModelAnswer[] {
    return this.versions
      .filter(({ main, key }) => main >= from && main < to && accepts(key))
      .filter((version) => version.main > this.compactRevision || this.#isRetained(version, this.compactRevision))
      .map(({ key, main, kv }) => ({ type: kv === undefined ? "delete" : "put", key, modRevision: main }));
  }

  /**
   * HashKV by its definition, over everything that ever was. Undefined if no key is live at the revision and some
   * history has been compacted: then the definition lets show what has been deleted already.
   */
  hashKv(hashRevision: number, compactRevision: number = this.compactRevision): number | undefined {
    const keys = new Set(this.versions.map(({ key }) => key));
    const keep = new Set([...keys].map((key) => this.#newest(key, hashRevision)).filter((version) => version?.kv));
    if (keep.size === 0 && compactRevision > 0) return undefined;
    const covered = this.versions.filter((version) => {
      if (version.main > hashRevision) return false;
      if (version.main === compactRevision && version.kv === undefined) return false;
      return version.main > compactRevision || keep.has(version);
    });
    return crc32c(concatBytes([utf8("key"), ...covered.flatMap(storedBytes)]));
  }

  /** The keys that are live at a revision with their pairs, ascending. */
  live(main: number): KeyValue[] {
    const keys = [...new Set(this.versions.map(({ key }) => key))].sort();
    return keys.flatMap((key) => this.#newest(key, main)?.kv ?? []);
  }

  /** Whether a compaction keeps a version. */
  #isRetained(version: Version, main: number): boolean {
    return this.#newest(version.key, main) === version && (version.kv !== undefined || version.main === main);
  }

  #newest(key: string, main: number): Version | undefined {
    return this.versions.findLast((version) => version.key === key && version.main <= main);
  }

  /** The revision that a read within the transaction under way sees as the current one. */
  get #revision(): number {
    return this.versions.length > this.#committed ? this.currentRevision + 1 : this.currentRevision;
  }

  #transact(change: () => ModelAnswer): ModelAnswer {
    this.#committed = this.versions.length;
    const answer = change();
    this.currentRevision = this.#revision;
    this.#committed = this.versions.length;
    return answer;
  }

  #append(key: string, kv: KeyValue | undefined): void {
    const sub = this.versions.length - this.#committed;
    this.versions.push({ key, main: this.currentRevision + 1, sub, kv });
  }

  #liveInRange(request: { key: Uint8Array; rangeEnd: Uint8Array }, main: number): KeyValue[] {
    const start = binaryString(request.key);
    const end = binaryString(request.rangeEnd);
    return this.live(main).filter(({ key }) => {
      const name = binaryString(key);
      if (end === "") return name === start;
      return name >= start && (end === "\0" || name < end);
    });
  }

  #range(request: RangeRequest, current: number): ModelAnswer {
    const revision = Number(request.revision);
    if (revision > current) throw new ModelError("FUTURE_REVISION");
    const main = revision <= 0 ? current : revision;
    if (main < this.compactRevision) throw new ModelError("COMPACTED");
    const found = this.#liveInRange(request, main);
    const limit = Number(request.limit) > 0 ? Number(request.limit) : Number.POSITIVE_INFINITY;
    const filtered = found.filter(
      (kv) =>
        (request.maxModRevision === 0n || kv.modRevision <= request.maxModRevision) &&
        (request.minModRevision === 0n || kv.modRevision >= request.minModRevision) &&
        (request.maxCreateRevision === 0n || kv.createRevision <= request.maxCreateRevision) &&
        (request.minCreateRevision === 0n || kv.createRevision >= request.minCreateRevision),
    );
    const isFiltered = [
      request.maxModRevision,
      request.minModRevision,
      request.maxCreateRevision,
      request.minCreateRevision,
    ].some((bound) => bound !== 0n);
    // Without an order and filters the limit counts before sorting, so that one more than asked for is sorted.
    const selected = request.sortOrder === 0 && !isFiltered ? filtered.slice(0, limit + 1) : filtered;
    const field = (kv: KeyValue): number | string =>
      [binaryString(kv.key), kv.version, kv.createRevision, kv.modRevision, binaryString(kv.value)][
        request.sortTarget
      ] ?? "";
    const direction = request.sortOrder === 2 ? -1 : 1;
    const sorted = selected.toSorted((left, right) => {
      const [a, b] = [field(left), field(right)];
      return a < b ? -direction : a > b ? direction : 0;
    });
    const kvs = request.countOnly ? [] : sorted.slice(0, limit);
    return {
      kvs: kvs.map((kv) => describeKv(request.keysOnly ? { ...kv, value: utf8("") } : kv)),
      more: !request.countOnly && sorted.length > limit,
      count: found.length,
      revision: current,
    };
  }

  #put(request: PutRequest): ModelAnswer {
    const name = binaryString(request.key);
    const previous = this.#newest(name, this.#revision)?.kv;
    this.#append(name, {
      key: request.key,
      value: request.ignoreValue ? (previous?.value ?? request.value) : request.value,
      lease: request.ignoreLease ? (previous?.lease ?? request.lease) : request.lease,
      createRevision: previous?.createRevision ?? this.currentRevision + 1,
      version: (previous?.version ?? 0) + 1,
      modRevision: this.currentRevision + 1,
    });
    return {
      prevKv: request.prevKv && previous !== undefined ? describeKv(previous) : undefined,
      revision: this.#revision,
    };
  }

  #deleteRange(request: DeleteRangeRequest): ModelAnswer {
    const found = this.#liveInRange(request, this.#revision);
    for (const { key } of found) this.#append(binaryString(key), undefined);
    return {
      deleted: found.length,
      prevKvs: request.prevKv ? found.map(describeKv) : [],
      revision: this.#revision,
    };
  }

  #choose(request: TxnRequest): Chosen {
    const succeeded = request.compare.every((compare) => this.#holds(compare));
    const operations = succeeded ? request.success : request.failure;
    const nested = new Map<RequestOp, Chosen>();
    for (const operation of operations)
      if (operation.request?.$case === "requestTxn") nested.set(operation, this.#choose(operation.request.value));
    const flat = operations.flatMap((operation) => nested.get(operation)?.flat ?? [operation.request]);
    return { succeeded, operations, nested, flat };
  }

  #execute({ operations, nested }: Chosen): unknown[] {
    return operations.map((operation) => {
      const inner = nested.get(operation);
      if (inner !== undefined) return { succeeded: inner.succeeded, responses: this.#execute(inner), revision: 0 };
      if (operation.request?.$case === "requestPut") return this.#put(operation.request.value);
      if (operation.request?.$case === "requestDeleteRange") return this.#deleteRange(operation.request.value);
      if (operation.request?.$case === "requestRange") return this.#range(operation.request.value, this.#revision);
      return undefined;
    });
  }

  #holds(compare: Compare): boolean {
    const found = this.#liveInRange(compare, this.currentRevision);
    if (found.length === 0 && compare.target === 3) return false;
    const absent = { key: utf8(""), value: utf8(""), lease: 0n, createRevision: 0, version: 0, modRevision: 0 };
    return (found.length === 0 ? [absent] : found).every((kv) => {
      const fields = [kv.version, kv.createRevision, kv.modRevision, binaryString(kv.value), kv.lease];
      const union = compare.targetUnion?.value ?? 0n;
      const operand = union instanceof Uint8Array ? binaryString(union) : union;
      const actual = fields[compare.target] ?? 0;
      // biome-ignore lint/suspicious/noDoubleEquals: a number and a bigint are the same if they are equal.
      const isEqual = actual == operand;
      return [isEqual, actual > operand, actual < operand, !isEqual][compare.result] ?? true;
    });
  }

  #checkLease(request: PutRequest): void {
    if (request.lease !== 0n && !this.#leaseExists(request.lease)) throw new ModelError("LEASE_NOT_FOUND");
  }

  #checkKept(request: PutRequest): void {
    const exists = this.#newest(binaryString(request.key), this.currentRevision)?.kv !== undefined;
    if ((request.ignoreValue || request.ignoreLease) && !exists) throw new ModelError("KEY_NOT_FOUND");
  }
}

interface Chosen {
  readonly succeeded: boolean;
  readonly operations: readonly RequestOp[];
  readonly nested: ReadonlyMap<RequestOp, Chosen>;
  /** All operations chosen, nested ones in their places. */
  readonly flat: readonly RequestOp["request"][];
}

/** What a store holds of a version: its key and its value. */
function storedBytes({ key, main, sub, kv }: Version): Uint8Array[] {
  const revision = new Uint8Array(kv === undefined ? 18 : 17);
  const view = new DataView(revision.buffer);
  view.setBigUint64(0, BigInt(main));
  revision[8] = "_".charCodeAt(0);
  view.setBigUint64(9, BigInt(sub));
  if (kv === undefined) revision[17] = "t".charCodeAt(0);
  const value = kv ?? KeyValue.fromPartial({ key: Uint8Array.from(key, (char) => char.charCodeAt(0)) });
  return [revision, KeyValue.encode(value).finish()];
}
