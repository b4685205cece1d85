import {
  eventKey,
  inRange,
  type KvAnswer,
  type KvEvent,
  type KvItem,
  type KvOperation,
  type KvResult,
  tellsOfChange,
} from "./kv-operation.ts";
import { type ExpectedResult, itemFits, type KvOutcome, type KvView, outcomesOf, resultFits } from "./kv-semantics.ts";
import type { Model } from "./linearizability.ts";

/** A state of the store in the model of a search. */
export interface KvState {
  /** The highest revision that an answer has told so far. */
  readonly revision: number;
  /** The live keys; revisions of writes whose answer never came are 0 until a read tells them. */
  readonly items: ReadonlyMap<string, KvItem>;
  /** The leases that have ended: nothing can be attached to them any more. */
  readonly ended: ReadonlySet<string>;
}

/**
 * The key-value store as a sequential object: what `outcomesOf` says, and revisions that never fall and rise
 * with each write. Reads at an older revision are not checked, as the model keeps no history.
 */
export const kvModel: Model<KvState, KvOperation, KvAnswer> = {
  init: { revision: 0, items: new Map(), ended: new Set() },

  step(state, operation, answer) {
    const outcomes = outcomesOf(viewOf(state.items), operation, answer?.revision ?? 0);
    const ended = operation.kind === "revoke" ? new Set([...state.ended, operation.lease]) : state.ended;
    return outcomes
      .filter((outcome) => isAllowed(state, outcome) && (answer === undefined || answerFits(state, outcome, answer)))
      .map(({ events, result }) => {
        const items = changed(state.items, events);
        if (answer === undefined) return { ...state, items, ended };
        return {
          revision: Math.max(state.revision, answer.revision),
          items: bound(items, result, answer.result),
          ended,
        };
      });
  },

  // What made a revision comes before what saw it.
  rank: ({ revision, result }) => revision + (tellsOfChange(result) ? 0 : 0.5),

  hash({ revision, items, ended }) {
    const rows = [...items.values()].map(({ key, value, createRevision, modRevision, version, lease }) =>
      JSON.stringify([key, value, createRevision, modRevision, version, lease]),
    );
    return `${revision} ${rows.sort().join("")} ${[...ended].sort().join()}`;
  },
};

function isAllowed({ ended }: KvState, { events }: KvOutcome): boolean {
  return events.every((event) => event.type === "delete" || !ended.has(event.item.lease ?? ""));
}

function answerFits(state: KvState, { events, result }: KvOutcome, answer: KvAnswer): boolean {
  // Without a revision in the answer there is none to hold against the state.
  const inOrder =
    answer.revision === 0 ||
    answer.revision > state.revision ||
    (events.length === 0 && answer.revision === state.revision);
  return inOrder && resultFits(result, answer.result);
}

function viewOf(items: ReadonlyMap<string, KvItem>): KvView {
  return {
    get: (key) => items.get(key),
    range: (range) =>
      [...items.values()].filter(({ key }) => inRange(key, range)).sort((a, b) => (a.key < b.key ? -1 : 1)),
  };
}

function changed(items: ReadonlyMap<string, KvItem>, events: readonly KvEvent[]): ReadonlyMap<string, KvItem> {
  if (events.length === 0) return items;
  const next = new Map(items);
  for (const event of events) {
    if (event.type === "put") next.set(event.item.key, event.item);
    else next.delete(eventKey(event));
  }
  return next;
}

/** Takes over what a read tells of revisions that were not known. */
function bound(
  items: ReadonlyMap<string, KvItem>,
  expected: ExpectedResult,
  told: KvResult,
): ReadonlyMap<string, KvItem> {
  const learnt = itemsTold(expected, told).filter((item) => {
    const known = items.get(item.key);
    return known !== undefined && (known.createRevision === 0 || known.modRevision === 0) && itemFits(known, item);
  });
  if (learnt.length === 0) return items;
  const next = new Map(items);
  for (const item of learnt) next.set(item.key, item);
  return next;
}

/** The items that a result tells in full. */
function itemsTold(expected: ExpectedResult, told: KvResult): readonly KvItem[] {
  if (expected.kind === "get" && told.kind === "get") return told.items;
  if (expected.kind !== "txn" || told.kind !== "txn") return [];
  return told.results.flatMap((result, at) => itemsTold(expected.results[at] ?? { kind: "any" }, result));
}
