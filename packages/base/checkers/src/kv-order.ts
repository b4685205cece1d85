/**
 * @module The order of all operations, not searched for but read off: a watch of all keys tells what was written at
 * each revision, so every state that the store went through is known, and each answer can be held against it. Where a
 * search knows only what clients saw, this also judges transactions over many keys, ranges and the revisions
 * themselves, in time that grows with the length of the history and no faster.
 */
import { checkEvents, differenceText, type KvEventsRule, sameEvents } from "./kv-events.ts";
import { type KvHistoryOperation, kvHistoryOperationText } from "./kv-linearizability.ts";
import { isSerializable, type KvAnswer, type KvEvent, type KvResult, tellsOfChange } from "./kv-operation.ts";
import { type ExpectedResult, type KvOutcome, outcomesOf, resultFits } from "./kv-semantics.ts";
import { eventsText } from "./kv-text.ts";
import { KvTimeline, type TimelineStart } from "./kv-timeline.ts";
import { type KvWriter, leaseThatEnded, UnknownWriters } from "./kv-writers.ts";
import { Findings, type Verdict } from "./verdict.ts";

/** What {@link checkKvOrder} can find broken. */
export type KvOrderRule =
  | KvEventsRule
  /** The revision of an acknowledged write has no event: the write is lost. */
  | "lost-write"
  /** The events of an acknowledged write's revision are not what it does. */
  | "wrong-content"
  /** Two acknowledged writes were told the same revision. */
  | "written-twice"
  /** Something was written that nobody asked for, or an operation of unknown outcome took effect twice. */
  | "nobody-wrote"
  /** An answer is not what the state at its revision gives. */
  | "wrong-answer"
  /** A revision was told that the store has not reached. */
  | "future-revision"
  /** An operation took effect before one that had returned before it was invoked: a stale read, a write in the past. */
  | "real-time"
  /** A serializable read went back behind what its session had seen. */
  | "session-order";

/** What {@link checkKvOrder} looks at. */
export interface KvOrderInput extends TimelineStart {
  /** What clients asked and were told, as {@link operationsOf} gives it. Answers to writes must have revisions. */
  readonly operations: readonly KvHistoryOperation[];
  /**
   * All events of all keys, or of a range of them if that {@link TimelineStart.isPartial | is all there is}, in the order
   * in which a watch told them, up to the newest revision: read it to its end before checking.
   */
  readonly events: readonly KvEvent[];
}

/** What {@link checkKvOrder} says. */
export interface KvOrder {
  /** Whether every answer fits. */
  readonly verdict: Verdict<KvOrderRule>;
  /** Who made each revision; not complete if the verdict is not `ok`. */
  readonly writers: ReadonlyMap<number, KvWriter>;
}

/**
 * Holds every answer against the history that a complete watch tells.
 *
 * Each acknowledged write stands at its revision once, with its content; a write of unknown outcome at most once;
 * nothing stands there that nobody wrote, except that the end of a lease deletes its keys. Each read tells the state at
 * a revision: one within its time or, if it is serializable, none older than what its session saw.
 */
export function checkKvOrder(input: KvOrderInput): KvOrder {
  const findings = new Findings<KvOrderRule>();
  const order = new OrderCheck(input, findings);
  // With events missing or out of order every state after them would be wrong too.
  if (checkEvents(input.events, input, findings)) order.run(input.operations);
  return { verdict: findings.verdict(), writers: order.writers };
}

/** The highest revision told so far, and by which operation. */
interface Seen {
  readonly revision: number;
  readonly by: KvHistoryOperation | undefined;
}

class OrderCheck {
  readonly writers = new Map<number, KvWriter>();
  readonly #timeline: KvTimeline;
  readonly #findings: Findings<KvOrderRule>;
  readonly #firstRevision: number;
  readonly #isPartial: boolean;

  constructor({ events, ...start }: KvOrderInput, findings: Findings<KvOrderRule>) {
    this.#timeline = new KvTimeline(events, start);
    this.#firstRevision = this.#timeline.firstRevision;
    this.#isPartial = start.isPartial ?? false;
    this.#findings = findings;
  }

  run(operations: readonly KvHistoryOperation[]): void {
    this.#claimRevisions(operations);
    const unknown: { operation: KvHistoryOperation; floor: number }[] = [];
    const sessions = new Map<string, Seen>();
    const nothing: Seen = { revision: this.#firstRevision, by: undefined };
    let seen = nothing;
    const floors = new Map<KvHistoryOperation, Seen>();
    for (const { operation, isReturn } of pointsOf(operations)) {
      if (!isReturn) {
        const floor = isSerializable(operation.operation) ? (sessions.get(operation.session) ?? nothing) : seen;
        floors.set(operation, floor);
        if (operation.returned === undefined) unknown.push({ operation, floor: floor.revision });
        continue;
      }
      const revision = this.#judge(operation, floors.get(operation) ?? nothing);
      seen = later(seen, { revision, by: operation });
      sessions.set(operation.session, later(sessions.get(operation.session) ?? nothing, { revision, by: operation }));
    }
    this.#explainTheRest(unknown);
  }

  /** Judges an answer; gives the revision at which the operation took effect. */
  #judge(operation: KvHistoryOperation, floor: Seen): number {
    this.#findings.checked();
    const answer = operation.returned?.answer;
    if (answer === undefined) return floor.revision;
    if (answer.revision === 0) return this.#judgeWithoutRevision(operation, answer.result, floor);
    if (answer.revision > this.#timeline.lastRevision && (tellsOfChange(answer.result) || !this.#isPartial)) {
      const rule = tellsOfChange(answer.result) ? "lost-write" : "future-revision";
      this.#add(rule, operation, `the last revision with an event is ${this.#timeline.lastRevision}`);
      return floor.revision;
    }
    const wrote = this.#isWrite(operation, answer, floor);
    if (wrote) this.#judgeWrite(operation, answer);
    else this.#judgeRead(operation, answer);
    this.#judgeTime(operation, { revision: answer.revision, wrote, floor });
    return answer.revision;
  }

  /** Notes for each acknowledged write that its revision is its own. */
  #claimRevisions(operations: readonly KvHistoryOperation[]): void {
    for (const operation of operations) {
      const answer = operation.returned?.answer;
      if (answer === undefined || answer.revision === 0 || !tellsOfChange(answer.result)) continue;
      const writer = this.writers.get(answer.revision);
      if (writer === undefined) this.writers.set(answer.revision, { kind: "operation", id: operation.id });
      else if (writer.kind === "operation")
        this.#add("written-twice", operation, `#${writer.id} was acknowledged at the same revision`);
    }
  }

  #isWrite({ id, operation }: KvHistoryOperation, { revision, result }: KvAnswer, floor: Seen): boolean {
    if (operation.kind !== "revoke") return tellsOfChange(result);
    // The answer does not tell whether the lease had keys, so that somebody else may have made the revision.
    if (this.writers.has(revision) || revision <= floor.revision) return false;
    const made = this.#outcome(operation, revision - 1, revision).events;
    const wrote = made.length > 0 && sameEvents(this.#timeline.eventsAt(revision), made);
    if (wrote) this.writers.set(revision, { kind: "operation", id });
    return wrote;
  }

  #judgeWrite(operation: KvHistoryOperation, { revision, result }: KvAnswer): void {
    const expected = this.#outcome(operation.operation, revision - 1, revision);
    const events = this.#timeline.eventsAt(revision);
    if (events.length === 0) this.#add("lost-write", operation, "its revision has no event");
    else if (!sameEvents(events, expected.events))
      this.#add("wrong-content", operation, `at its revision ${differenceText(events, expected.events)}`);
    else this.#judgeResult(operation, expected.result, result);
  }

  #judgeRead(operation: KvHistoryOperation, { revision, result }: KvAnswer): void {
    const { events, result: expected } = this.#outcome(operation.operation, revision, revision + 1);
    if (events.length > 0)
      this.#add("wrong-answer", operation, `it says that nothing changed, and should have made ${eventsText(events)}`);
    else this.#judgeResult(operation, expected, result);
  }

  #judgeResult(operation: KvHistoryOperation, expected: ExpectedResult, actual: KvResult): void {
    if (!resultFits(expected, actual))
      this.#add("wrong-answer", operation, `the state at its revision gives ${JSON.stringify(expected)}`);
  }

  /** A read that was told no revision may have seen any state since its floor; the oldest that fits leaves most room. */
  #judgeWithoutRevision(operation: KvHistoryOperation, result: KvResult, floor: Seen): number {
    if (tellsOfChange(result))
      throw new TypeError(`Cannot place the write #${operation.id} as its answer has no revision`);
    for (let revision = floor.revision; revision <= this.#timeline.lastRevision; revision++) {
      const outcome = this.#outcome(operation.operation, revision, revision + 1);
      if (outcome.events.length === 0 && resultFits(outcome.result, result)) return revision;
    }
    this.#add("wrong-answer", operation, `no state from revision ${floor.revision} on gives this`);
    return floor.revision;
  }

  #judgeTime(
    operation: KvHistoryOperation,
    effect: { readonly revision: number; readonly wrote: boolean; readonly floor: Seen },
  ): void {
    const { revision, wrote, floor } = effect;
    if (floor.by === undefined || revision > floor.revision || (!wrote && revision === floor.revision)) return;
    const rule = isSerializable(operation.operation) ? "session-order" : "real-time";
    const before = kvHistoryOperationText(floor.by);
    this.#add(rule, operation, `revision ${floor.revision} had been told before it was invoked, by ${before}`);
  }

  /** The revisions that no acknowledged write has made: those that a lease may have made last, as they have a choice. */
  #explainTheRest(unknown: readonly { readonly operation: KvHistoryOperation; readonly floor: number }[]): void {
    const candidates = new UnknownWriters(this.#timeline, unknown);
    const optional: { revision: number; lease: string }[] = [];
    for (let revision = this.#firstRevision + 1; revision <= this.#timeline.lastRevision; revision++) {
      if (this.writers.has(revision) || this.#timeline.eventsAt(revision).length === 0) continue;
      const lease = leaseThatEnded(this.#timeline, revision);
      if (lease !== undefined) optional.push({ revision, lease });
      else if (!candidates.explain(revision)) {
        const text = eventsText(this.#timeline.eventsAt(revision));
        this.#findings.add("nobody-wrote", `revision ${revision} holds the ${text}, which no operation can have made`);
      }
    }
    for (const { revision, lease } of optional)
      if (!candidates.explain(revision)) this.writers.set(revision, { kind: "lease", lease });
    for (const [revision, writer] of candidates.found()) this.writers.set(revision, writer);
  }

  #outcome(operation: KvHistoryOperation["operation"], stateAt: number, revision: number): KvOutcome {
    const [outcome] = outcomesOf(this.#timeline.at(stateAt), operation, revision);
    if (outcome === undefined) throw new TypeError(`Cannot execute ${JSON.stringify(operation)}`);
    return outcome;
  }

  #add(rule: KvOrderRule, operation: KvHistoryOperation, reason: string): void {
    this.#findings.add(rule, `${kvHistoryOperationText(operation)}: ${reason}`);
  }
}

function pointsOf(
  operations: readonly KvHistoryOperation[],
): readonly { readonly operation: KvHistoryOperation; readonly isReturn: boolean }[] {
  return operations
    .flatMap((operation) => [
      { operation, isReturn: false, at: operation.invokedAt },
      ...(operation.returned === undefined ? [] : [{ operation, isReturn: true, at: operation.returned.at }]),
    ])
    .sort((left, right) => left.at - right.at);
}

function later(left: Seen, right: Seen): Seen {
  return right.revision > left.revision ? right : left;
}
