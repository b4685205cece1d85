/** @module What the checkers say of a run: pure, of what was recorded alone. */
import {
  checkKvLinearizability,
  checkKvOrder,
  checkWatch,
  eventKey,
  eventRevision,
  type KvEvent,
  type KvHistoryOperation,
  linearizabilityText,
  type Verdict,
  type Violation,
  type WatchRecord,
  type WatchRequest,
} from "@conclave/checkers";

/** What one watch was told. */
export interface WatchRecording {
  /** What it is called. */
  readonly name: string;
  /** What was asked for. */
  readonly request: WatchRequest;
  /** What it was told, in order. */
  readonly records: readonly WatchRecord[];
  /** The events of that. */
  readonly events: readonly KvEvent[];
  /** Why it ended before the run did; undefined if it did not. */
  readonly failure: string | undefined;
}

/** What a run has recorded. */
export interface RunRecording {
  /** What clients asked and were told. */
  readonly operations: readonly KvHistoryOperation[];
  /** What watches were told. */
  readonly watches: readonly WatchRecording[];
  /** The revision before the run, at which there was no key. */
  readonly startRevision: number;
  /** The revision of the last write; undefined unless every watch that did not fail was told of it, and one was. */
  readonly endRevision: number | undefined;
}

/** What one check has found. */
export interface CheckResult {
  /** What was checked. */
  readonly check: string;
  /** Whether it holds; undefined if that could not be found out. */
  readonly holds: boolean | undefined;
  /** How many things were looked at. */
  readonly checked: number;
  /** What is wrong, each with the answers that contradict each other; the first is the first that was found. */
  readonly violations: readonly Violation[];
  /** What else is to be said of it; empty for nothing. */
  readonly note: string;
}

/** Judges a run. */
export function judge(run: RunRecording): readonly CheckResult[] {
  const events = allEvents(run.watches);
  return [checkOrder(run, events), checkSearch(run), ...run.watches.map((watch) => checkOne(watch, run, events))];
}

/** Every event that any watch was told, once, by revision: what one watch misses another one has. */
function allEvents(watches: readonly WatchRecording[]): readonly KvEvent[] {
  const byPlace = new Map<string, KvEvent>();
  for (const { events } of watches)
    for (const event of events) {
      const place = `${eventRevision(event)} ${eventKey(event)}`;
      if (!byPlace.has(place)) byPlace.set(place, event);
    }
  return [...byPlace.values()].sort((left, right) => eventRevision(left) - eventRevision(right));
}

/** Every answer against the history that the watches tell: reads, writes, transactions, ranges and real time. */
function checkOrder({ operations, startRevision, endRevision }: RunRecording, events: readonly KvEvent[]): CheckResult {
  const check = "every answer fits the history that the watches tell, in real time";
  if (endRevision === undefined) return { check, ...undecided("the watches were not told of the end of the history") };
  const { verdict } = checkKvOrder({ operations, events, revision: startRevision, isPartial: true });
  return { check, ...resultOf(verdict) };
}

/** The same without the watches: is there any order of the operations that explains the answers? */
function checkSearch({ operations }: RunRecording): CheckResult {
  const check = "some order of all operations explains every answer (linearizability)";
  const verdict = checkKvLinearizability(operations);
  switch (verdict.kind) {
    case "ok":
      return {
        check,
        holds: true,
        checked: verdict.checked,
        violations: [],
        note: `${verdict.states} states searched`,
      };
    case "undecided":
      return { check, ...undecided(linearizabilityText(verdict)) };
    case "violated": {
      const violations = [{ rule: "linearizable", message: linearizabilityText(verdict) }];
      return { check, holds: false, checked: operations.length, violations, note: "" };
    }
  }
}

/** Ordered, unique, whole revisions, no gap, and resumed without a loss. */
function checkOne(
  { name, request, records, failure }: WatchRecording,
  { startRevision, endRevision }: RunRecording,
  history: readonly KvEvent[],
): CheckResult {
  const check = `${name}: events in order, once, whole revisions, none left out`;
  const through = failure === undefined && endRevision !== undefined ? { through: endRevision } : {};
  const verdict = checkWatch({ request, records, history, revision: startRevision, ...through });
  const result = resultOf(verdict);
  if (failure === undefined || result.holds === false) return { check, ...result };
  return { check, ...undecided(failure) };
}

function resultOf(verdict: Verdict): Omit<CheckResult, "check"> {
  if (verdict.kind === "violated") return { holds: false, checked: 0, violations: verdict.violations, note: "" };
  if (verdict.checked === 0) return undecided("nothing was recorded");
  return { holds: true, checked: verdict.checked, violations: [], note: "" };
}

function undecided(note: string): Omit<CheckResult, "check"> {
  return { holds: undefined, checked: 0, violations: [], note };
}
