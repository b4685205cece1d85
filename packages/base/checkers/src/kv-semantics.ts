/**
 * @module What each operation does to a key-value store and what it answers: the semantics of etcd, written as plainly
 * as can be, which the checkers hold a real store against.
 *
 * A revision that a checker cannot know (of a write whose answer never came) is 0 in an item. What depends on it cannot
 * be told: a condition on it may hold or not, so that there is more than one outcome.
 */
import type {
  KvCompare,
  KvEvent,
  KvGet,
  KvItem,
  KvOperation,
  KvRange,
  KvResult,
  KvSortTarget,
  KvTxn,
} from "./kv-operation.ts";
import { inRange } from "./kv-operation.ts";

/** A state of the store. */
export interface KvView {
  /** A live key. */
  get(key: string): KvItem | undefined;
  /** The live keys of a range, ascending. */
  range(range: KvRange): readonly KvItem[];
  /** The state at an older revision, where history is known. */
  at?(revision: number): KvView;
}

/** A result as a checker can tell it: `any` where it depends on what the checker does not know. */
export type ExpectedResult =
  | Exclude<KvResult, { kind: "txn" | "put" }>
  | { readonly kind: "put"; readonly previous: KvItem | null }
  | { readonly kind: "txn"; readonly succeeded: boolean; readonly results: readonly ExpectedResult[] }
  | { readonly kind: "any" };

/** One way in which an operation may end. */
export interface KvOutcome {
  /** The changes in their order; empty if the operation changes nothing. */
  readonly events: readonly KvEvent[];
  readonly result: ExpectedResult;
}

/** The range of all keys. */
export const everyKey: KvRange = { key: "\0", rangeEnd: "\0" };

/**
 * The ways in which an operation may end in a state: exactly one if every revision in the state is known.
 *
 * @param revision - the revision that its changes get; 0 if not known
 */
export function outcomesOf(view: KvView, operation: KvOperation, revision: number): readonly KvOutcome[] {
  return decisionsOf(view, operation).map((decided) => {
    const draft = new Draft(view, revision);
    const result = perform(draft, decided);
    return { events: draft.events, result };
  });
}

/** An operation whose transactions know which branch they take. */
type Decided =
  | Exclude<KvOperation, KvTxn>
  | { readonly kind: "decided"; readonly succeeded: boolean; readonly operations: readonly Decided[] };

/** All conditions, those of inner transactions too, see the state before the transaction. */
function decisionsOf(view: KvView, operation: KvOperation): readonly Decided[] {
  if (operation.kind !== "txn") return [operation];
  return branchesOf(view, operation).flatMap((succeeded) => {
    const branch = succeeded ? operation.success : operation.failure;
    return sequencesOf(branch.map((inner) => decisionsOf(view, inner))).map(
      (operations): Decided => ({ kind: "decided", succeeded, operations }),
    );
  });
}

/** Every way to pick one of each. */
function sequencesOf<T>(choices: readonly (readonly T[])[]): readonly (readonly T[])[] {
  return choices.reduce<readonly (readonly T[])[]>(
    (sequences, choice) => sequences.flatMap((sequence) => choice.map((picked) => [...sequence, picked])),
    [[]],
  );
}

function branchesOf(view: KvView, { compare }: KvTxn): readonly boolean[] {
  const held = compare.map((condition) => conditionHolds(view, condition));
  if (held.includes(false)) return [false];
  return held.includes(undefined) ? [true, false] : [true];
}

/** Whether a condition holds; `undefined` if that cannot be told. */
function conditionHolds(view: KvView, condition: KvCompare): boolean | undefined {
  const { key, rangeEnd } = condition;
  const items = rangeEnd === undefined ? [view.get(key)] : view.range({ key, rangeEnd });
  // A range without keys counts as one key that is absent.
  const held = (items.length === 0 ? [undefined] : items).map((item) => itemMeets(item, condition));
  return held.includes(false) ? false : held.includes(undefined) ? undefined : true;
}

function itemMeets(item: KvItem | undefined, { target, result, operand }: KvCompare): boolean | undefined {
  if (target === "value" && item === undefined) return false;
  const actual = targetOf(item, target);
  const isUnknown = item !== undefined && actual === 0;
  // Of a revision that is not known it is known that it is more than 0, which stands for an absent key.
  if (isUnknown && operand !== 0) return undefined;
  const order = isUnknown ? 1 : orderOf(actual, operand);
  switch (result) {
    case "equal":
      return order === 0;
    case "notEqual":
      return order !== 0;
    case "less":
      return order < 0;
    case "greater":
      return order > 0;
  }
}

function targetOf(item: KvItem | undefined, target: KvCompare["target"] | KvSortTarget): Operand {
  switch (target) {
    case "key":
      return item?.key ?? "";
    case "version":
      return item?.version ?? 0;
    case "create":
      return item?.createRevision ?? 0;
    case "mod":
      return item?.modRevision ?? 0;
    case "value":
      return item?.value ?? "";
    case "lease":
      return BigInt(item?.lease ?? 0);
  }
}

type Operand = number | string | bigint;

function orderOf(actual: Operand, operand: Operand): number {
  const compared = typeof actual === "bigint" ? BigInt(operand) : operand;
  return actual === compared ? 0 : actual < compared ? -1 : 1;
}

function perform(draft: Draft, operation: Decided): ExpectedResult {
  switch (operation.kind) {
    case "put":
      return { kind: "put", previous: draft.put(operation) ?? null };
    case "get":
      return read(draft, operation);
    case "delete":
      return { kind: "delete", deleted: draft.delete(draft.range(operation)) };
    case "revoke":
      draft.delete(draft.range(everyKey).filter(({ lease }) => lease === operation.lease));
      return { kind: "revoke" };
    case "decided": {
      const results = operation.operations.map((inner) => perform(draft, inner));
      return { kind: "txn", succeeded: operation.succeeded, results };
    }
  }
}

/** A state with the changes that an operation has made so far. */
class Draft implements KvView {
  readonly #base: KvView;
  readonly #revision: number;
  readonly #changed = new Map<string, KvItem | undefined>();
  readonly events: KvEvent[] = [];

  constructor(base: KvView, revision: number) {
    this.#base = base;
    this.#revision = revision;
  }

  get(key: string): KvItem | undefined {
    return this.#changed.has(key) ? this.#changed.get(key) : this.#base.get(key);
  }

  range(range: KvRange): readonly KvItem[] {
    const before = this.#base.range(range);
    if (this.#changed.size === 0) return before;
    const keys = new Set(before.map(({ key }) => key));
    for (const key of this.#changed.keys()) if (inRange(key, range)) keys.add(key);
    return [...keys].sort(byText).flatMap((key) => this.get(key) ?? []);
  }

  /** The state at an older revision, if history is known. */
  older(revision: number): KvView | undefined {
    return this.#base.at?.(revision);
  }

  put({
    key,
    value,
    lease,
  }: {
    readonly key: string;
    readonly value: string;
    readonly lease?: string;
  }): KvItem | undefined {
    const previous = this.get(key);
    const item: KvItem = {
      key,
      value,
      createRevision: previous?.createRevision ?? this.#revision,
      modRevision: this.#revision,
      version: (previous?.version ?? 0) + 1,
      ...(lease === undefined ? {} : { lease }),
    };
    this.#changed.set(key, item);
    this.events.push(previous === undefined ? { type: "put", item } : { type: "put", item, previous });
    return previous;
  }

  delete(items: readonly KvItem[]): number {
    for (const previous of items) {
      this.#changed.set(previous.key, undefined);
      this.events.push({ type: "delete", key: previous.key, revision: this.#revision, previous });
    }
    return items.length;
  }
}

function read(draft: Draft, get: KvGet): ExpectedResult {
  const view = get.revision === undefined ? draft : draft.older(get.revision);
  if (view === undefined) return { kind: "any" };
  const all = view.range(get);
  if (get.countOnly === true) return { kind: "get", items: [], count: all.length };
  const sorted = sortedItems(boundedItems(all, get), get.sort);
  if (sorted === undefined) return { kind: "any" };
  const items = sorted.slice(0, get.limit === undefined || get.limit === 0 ? undefined : get.limit);
  return { kind: "get", items: get.keysOnly === true ? items.map(withoutValue) : items, count: all.length };
}

function boundedItems(items: readonly KvItem[], { maxCreateRevision }: KvGet): readonly KvItem[] | undefined {
  if (maxCreateRevision === undefined) return items;
  if (items.some(({ createRevision }) => createRevision === 0)) return undefined;
  return items.filter(({ createRevision }) => createRevision <= maxCreateRevision);
}

/** Sorted items; `undefined` if their order cannot be told: revisions not known, or equal where etcd's order is open. */
function sortedItems(items: readonly KvItem[] | undefined, sort: KvGet["sort"]): readonly KvItem[] | undefined {
  if (items === undefined || sort === undefined) return items;
  const { by, descending = false } = sort;
  const ranks = new Set(items.map((item) => targetOf(item, by)));
  if (ranks.size < items.length || ranks.has(0)) return undefined;
  const ascending = [...items].sort((left, right) => orderOf(targetOf(left, by), targetOf(right, by)));
  return descending ? ascending.reverse() : ascending;
}

function withoutValue(item: KvItem): KvItem {
  return { ...item, value: "" };
}

function byText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Whether an answer is one that was to be expected. */
export function resultFits(expected: ExpectedResult, actual: KvResult): boolean {
  switch (expected.kind) {
    case "any":
      return true;
    case "put":
      return actual.kind === "put" && (actual.previous === undefined || itemFits(expected.previous, actual.previous));
    case "get":
      return (
        actual.kind === "get" &&
        actual.count === expected.count &&
        actual.items.length === expected.items.length &&
        expected.items.every((item, at) => itemFits(item, actual.items[at]))
      );
    case "delete":
      return actual.kind === "delete" && actual.deleted === expected.deleted;
    case "revoke":
      return actual.kind === "revoke";
    case "txn":
      return (
        actual.kind === "txn" &&
        actual.succeeded === expected.succeeded &&
        actual.results.length === expected.results.length &&
        expected.results.every((result, at) => {
          const told = actual.results[at];
          return told !== undefined && resultFits(result, told);
        })
      );
  }
}

/** Whether an item is the one expected; revisions that are not known fit any. */
export function itemFits(expected: KvItem | null, actual: KvItem | null | undefined): boolean {
  if (expected === null || actual === null || actual === undefined) return expected === (actual ?? null);
  return (
    expected.key === actual.key &&
    expected.value === actual.value &&
    expected.version === actual.version &&
    expected.lease === actual.lease &&
    revisionFits(expected.createRevision, actual.createRevision) &&
    revisionFits(expected.modRevision, actual.modRevision)
  );
}

function revisionFits(expected: number, actual: number): boolean {
  return expected === 0 || expected === actual;
}
