/**
 * @module What etcd promises of a watch, held against what one client was told: events come in the order of their
 * revisions, none twice, none left out, those of one revision together; a watch that is resumed goes on where it was;
 * a bookmark says that nothing older is still to come; `prev_kv` is what was there before.
 */
import { sameEvent, sameItem } from "./kv-events.ts";
import { eventKey, eventRevision, inRange, type KvEvent, type KvRange } from "./kv-operation.ts";
import { eventText, itemText } from "./kv-text.ts";
import { KvTimeline, type TimelineStart } from "./kv-timeline.ts";
import { Findings, type Verdict } from "./verdict.ts";

/** What {@link checkWatch} can find broken. */
export type WatchRule =
  /** An event came after one of a higher revision, or after a later one of its own. */
  | "order"
  /** An event came twice in one stream. */
  | "unique"
  /** The events of a revision came in two responses, though fragments were not asked for. */
  | "atomic"
  /** An event was left out. */
  | "gap"
  /** A watch was resumed behind what it had not been told yet, so that events are lost to the client. */
  | "resume"
  /** A bookmark was given before everything up to it had been told, or an event came that it had ruled out. */
  | "bookmark"
  /** An event came that did not happen, lies outside the range, or before the start. */
  | "content"
  /** The value before is missing or another one. */
  | "previous"
  /** A response names a revision that is lower than that of an event in it. */
  | "header"
  /** A watch was ended as compacted though it needed nothing that is. */
  | "cancel";

/** What a client asked for. */
export interface WatchRequest extends KvRange {
  /** First revision wanted. */
  readonly startRevision: number;
  /** Whether a response may be split into several; default `false`. */
  readonly fragment?: boolean;
  /** Whether the value before was asked for; default `false`: events are then not checked for it. */
  readonly previous?: boolean;
  /** Events left out on request; default none. */
  readonly without?: "put" | "delete";
}

/** Something that happened to a watch, as its client saw it. */
export type WatchRecord =
  | {
      readonly kind: "response";
      /** Revision in the header. */
      readonly revision: number;
      /** At least one. */
      readonly events: readonly KvEvent[];
      /** Whether it said that more of the same response follows; default `false`. */
      readonly fragment?: boolean;
    }
  /** A response without events: nothing up to this revision is still to come. */
  | { readonly kind: "bookmark"; readonly revision: number }
  /** The stream was lost, and opened again from a revision on. */
  | { readonly kind: "resumed"; readonly startRevision: number }
  /** The member ended the watch because what it needs has been compacted. */
  | { readonly kind: "compacted"; readonly compactRevision: number };

/** What {@link checkWatch} looks at. */
export interface WatchInput extends TimelineStart {
  /** What the client asked for. */
  readonly request: WatchRequest;
  /** In the order in which the client saw them. */
  readonly records: readonly WatchRecord[];
  /** All events of all keys, as {@link checkKvOrder} has found them to be right. */
  readonly history: readonly KvEvent[];
  /** A revision up to which the client has waited for events; default: as far as it was told. */
  readonly through?: number;
  /** Values up to this revision are compacted, so that they may be missing as the value before; default none. */
  readonly compactRevision?: number;
}

/** Checks what a client was told by one watch, over all the streams on which it was resumed. */
export function checkWatch(input: WatchInput): Verdict<WatchRule> {
  const check = new WatchCheck(input);
  for (const record of input.records) check.take(record);
  check.end(input.through);
  return check.findings.verdict();
}

class WatchCheck {
  readonly findings = new Findings<WatchRule>();
  readonly #input: WatchInput;
  readonly #timeline: KvTimeline;
  /** What the watch must tell if it is told all, in order. */
  readonly #owed: readonly KvEvent[];
  /** The place of each event in {@link #owed}. */
  readonly #places: ReadonlyMap<string, number>;
  /** Where in {@link #owed} it is. */
  #position = 0;
  /** Places in {@link #owed} told since the watch was last resumed. */
  readonly #told = new Set<number>();
  /** Nothing below this revision may come any more, by a bookmark. */
  #ruledOutBelow = 0;
  #startRevision: number;
  /** Revision of the last event of the response before, if that was complete. */
  #closedRevision = 0;
  #ended = false;

  constructor(input: WatchInput) {
    const { request, history, ...start } = input;
    this.#input = input;
    this.#timeline = new KvTimeline(history, start);
    this.#owed = history.filter((event) => event.type !== request.without && inRange(eventKey(event), request));
    this.#places = new Map(this.#owed.map((event, at) => [placeName(event), at]));
    this.#startRevision = request.startRevision;
    this.#position = this.#firstFrom(request.startRevision);
  }

  take(record: WatchRecord): void {
    this.findings.checked();
    switch (record.kind) {
      case "response":
        this.#takeResponse(record);
        break;
      case "bookmark":
        this.#takeBookmark(record.revision);
        break;
      case "resumed":
        this.#resume(record.startRevision);
        break;
      case "compacted":
        this.#endAsCompacted(record.compactRevision);
    }
  }

  end(through: number | undefined): void {
    if (through !== undefined && !this.#ended)
      this.#needAllBelow(through + 1, "gap", `it waited up to revision ${through}`);
  }

  #takeResponse({ revision, events, fragment = false }: Extract<WatchRecord, { kind: "response" }>): void {
    const [first] = events;
    if (first !== undefined && eventRevision(first) === this.#closedRevision)
      this.findings.add(
        "atomic",
        `revision ${this.#closedRevision} was told in two responses: ${eventText(first)} came apart`,
      );
    for (const event of events) {
      if (eventRevision(event) > revision)
        this.findings.add("header", `a response of revision ${revision} tells of the ${eventText(event)}`);
      this.#takeEvent(event);
    }
    const last = events.at(-1);
    this.#closedRevision =
      last === undefined || (fragment && this.#input.request.fragment === true) ? 0 : eventRevision(last);
  }

  #takeEvent(event: KvEvent): void {
    this.findings.checked();
    const revision = eventRevision(event);
    const at = this.#places.get(placeName(event));
    const owed = at === undefined ? undefined : this.#owed[at];
    if (at === undefined || owed === undefined || !sameEvent(owed, event))
      this.findings.add("content", `there was no such event in the range: ${eventText(event)}`);
    else if (revision < this.#startRevision)
      this.findings.add(
        "content",
        `the watch starts at revision ${this.#startRevision}, and was told of the ${eventText(event)}`,
      );
    else this.#advance(event, at);
    if (revision < this.#ruledOutBelow)
      this.findings.add(
        "bookmark",
        `the ${eventText(event)} came after a bookmark of revision ${this.#ruledOutBelow - 1}`,
      );
    this.#checkPrevious(event);
  }

  #advance(event: KvEvent, at: number): void {
    if (at < this.#position) {
      const lastTold = this.#owed[this.#position - 1];
      const after = lastTold === undefined ? "" : ` after the ${eventText(lastTold)}`;
      if (this.#told.has(at)) this.findings.add("unique", `the ${eventText(event)} came again${after}`);
      else this.findings.add("order", `the ${eventText(event)} came${after}`);
      return;
    }
    for (const missed of this.#owed.slice(this.#position, at))
      this.findings.add("gap", `the ${eventText(missed)} was left out before the ${eventText(event)}`);
    this.#told.add(at);
    this.#position = at + 1;
  }

  #checkPrevious(event: KvEvent): void {
    if (this.#input.request.previous !== true) return;
    const revision = eventRevision(event);
    const before = this.#timeline.at(revision - 1).get(eventKey(event));
    const compacted = revision - 1 < (this.#input.compactRevision ?? 0);
    if (sameItem(event.previous, before) || (compacted && event.previous === undefined)) return;
    this.findings.add(
      "previous",
      `the ${eventText(event)} says that before it was ${itemText(event.previous)}, and it was ${itemText(before)}`,
    );
  }

  #takeBookmark(revision: number): void {
    this.#needAllBelow(revision + 1, "bookmark", `a bookmark says that nothing up to revision ${revision} is to come`);
    this.#ruledOutBelow = Math.max(this.#ruledOutBelow, revision + 1);
  }

  #needAllBelow(revision: number, rule: "gap" | "bookmark", reason: string): void {
    const next = this.#owed[this.#position];
    if (next === undefined || eventRevision(next) >= revision) return;
    this.findings.add(rule, `the ${eventText(next)} was not told, and ${reason}`);
    this.#position = Math.max(this.#position, this.#firstFrom(revision));
  }

  #resume(startRevision: number): void {
    const next = this.#owed[this.#position];
    if (next !== undefined && eventRevision(next) < startRevision)
      this.findings.add(
        "resume",
        `it was resumed at revision ${startRevision}, and was never told of the ${eventText(next)}`,
      );
    this.#startRevision = startRevision;
    this.#position = this.#firstFrom(startRevision);
    this.#told.clear();
    this.#ruledOutBelow = 0;
    this.#closedRevision = 0;
  }

  #endAsCompacted(compactRevision: number): void {
    this.#ended = true;
    const lastTold = this.#owed[this.#position - 1];
    const needs = Math.max(
      this.#startRevision,
      this.#ruledOutBelow,
      lastTold === undefined ? 0 : eventRevision(lastTold) + 1,
    );
    if (needs >= compactRevision)
      this.findings.add(
        "cancel",
        `it was ended as compacted at revision ${compactRevision}, and needed revision ${needs}`,
      );
  }

  /** The place of the first event from a revision on. */
  #firstFrom(revision: number): number {
    const at = this.#owed.findIndex((event) => eventRevision(event) >= revision);
    return at < 0 ? this.#owed.length : at;
  }
}

/** What no two events of a history share. */
function placeName(event: KvEvent): string {
  return `${eventRevision(event)} ${eventKey(event)}`;
}
