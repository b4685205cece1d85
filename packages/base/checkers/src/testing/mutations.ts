/** @module Ways to spoil the record of a right run, each as a fault of the store would. */
import { invariant, type Random } from "@conclave/base";
import type { HistoryEvent } from "../history.ts";
import type { KvAnswer, KvItem, KvOperation, KvResult } from "../kv-operation.ts";

type History = readonly HistoryEvent<KvOperation, KvAnswer>[];
type Return = Extract<History[number], { type: "return" }>;

/** Spoils a history somewhere; gives the same one back if there is nothing to spoil. */
export type Mutation = (history: History, random: Random) => History;

/** By name. */
export const mutations: Readonly<Record<string, Mutation>> = {
  /** A read tells what an earlier read of the same told. */
  staleRead: (history, random) => {
    const reads = returnsOf(history).filter(({ answer }) => answer.result.kind === "get");
    const [earlier, later] = picked(reads, random).sort((a, b) => history.indexOf(a) - history.indexOf(b));
    return earlier === undefined || later === undefined ? history : withAnswer(history, later, earlier.answer);
  },
  /** A write that was acknowledged is as if it had never been: what read it says something else. */
  lostUpdate: (history, random) => {
    const read = pick(
      returnsOf(history).filter(({ answer }) => itemsOf(answer.result).length > 0),
      random,
    );
    if (read === undefined) return history;
    const result: KvResult = { kind: "get", items: [], count: 0 };
    return withAnswer(history, read, { ...read.answer, result });
  },
  /** Two answers arrive exchanged. */
  exchanged: (history, random) => {
    const [one, other] = picked(returnsOf(history), random);
    if (one === undefined || other === undefined || one.answer.result.kind !== other.answer.result.kind) return history;
    return withAnswer(withAnswer(history, one, other.answer), other, one.answer);
  },
  /** An operation is acknowledged before another began that it followed. */
  reordered: (history, random) => {
    const moved = pick(returnsOf(history), random);
    if (moved === undefined) return history;
    const invocation = history.findIndex((event) => event.type === "invoke" && event.id === moved.id);
    const rest = history.filter((event) => event !== moved);
    return [...rest.slice(0, invocation + 1), moved, ...rest.slice(invocation + 1)];
  },
  /** A value that nobody wrote is read. */
  inventedValue: (history, random) => {
    const read = pick(
      returnsOf(history).filter(({ answer }) => itemsOf(answer.result).length > 0),
      random,
    );
    if (read?.answer.result.kind !== "get") return history;
    const items = read.answer.result.items.map((item) => ({ ...item, value: "invented" }));
    return withAnswer(history, read, { ...read.answer, result: { ...read.answer.result, items } });
  },
  /** A transaction says that it took the other branch. */
  wrongBranch: (history, random) => {
    const txn = pick(
      returnsOf(history).filter(({ answer }) => answer.result.kind === "txn"),
      random,
    );
    if (txn?.answer.result.kind !== "txn") return history;
    const result: KvResult = { ...txn.answer.result, succeeded: !txn.answer.result.succeeded };
    return withAnswer(history, txn, { ...txn.answer, result });
  },
  /** The revision of an answer is one too high. */
  wrongRevision: (history, random) => {
    const answered = pick(returnsOf(history), random);
    if (answered === undefined) return history;
    return withAnswer(history, answered, { ...answered.answer, revision: answered.answer.revision + 1 });
  },
};

function itemsOf(result: KvResult): readonly KvItem[] {
  return result.kind === "get" ? result.items : [];
}

function returnsOf(history: History): readonly Return[] {
  return history.filter((event): event is Return => event.type === "return");
}

function withAnswer(history: History, { id }: Return, answer: KvAnswer): History {
  return history.map((event) => (event.type === "return" && event.id === id ? { ...event, answer } : event));
}

/** One of several. */
export function pick<T>(choices: readonly T[], random: Random): T | undefined {
  return choices.length === 0 ? undefined : choices[random.below(choices.length)];
}

function picked<T>(choices: readonly T[], random: Random): T[] {
  const first = pick(choices, random);
  const second = pick(
    choices.filter((choice) => choice !== first),
    random,
  );
  return [first, second].filter((choice): choice is T => choice !== undefined);
}

/** The history without revisions, as a client would record it that does not look at them. */
export function withoutRevisions(history: History): History {
  return history.map((event) =>
    event.type === "return" ? { ...event, answer: { ...event.answer, revision: 0 } } : event,
  );
}

/** A mutation by its number. */
export function anyMutation(random: Random): Mutation {
  const mutation = pick(Object.values(mutations), random);
  invariant(mutation !== undefined, "there is a mutation");
  return mutation;
}
