import { eventKey, eventRevision, type KvEvent, type KvItem } from "./kv-operation.ts";
import { eventsText, eventText, itemText, quoted } from "./kv-text.ts";
import type { TimelineStart } from "./kv-timeline.ts";
import type { FindingSink } from "./verdict.ts";

/** What can be wrong with a list that should hold all events of all keys. */
export type KvEventsRule =
  /** A revision comes after a higher one, or a key twice in one. */
  | "event-order"
  /** A revision is missing: every one changes something, unless only a part of the keys was watched. */
  | "event-gap"
  /** A version or creation revision is not the one that follows, or a deletion is of a key that is not there. */
  | "event-content";

/**
 * Checks that a list can be all events of all keys since a store began.
 *
 * @returns whether a history can be rebuilt from it
 */
export function checkEvents(
  events: readonly KvEvent[],
  start: TimelineStart,
  findings: FindingSink<KvEventsRule>,
): boolean {
  const found = findings.count;
  const live = new Map((start.items ?? []).map((item) => [item.key, item]));
  const seen = new Set<string>();
  let revision = start.revision ?? 1;
  for (const event of events) {
    findings.checked();
    const next = eventRevision(event);
    if (next !== revision) {
      checkStep(revision, next, start, findings);
      seen.clear();
      revision = Math.max(revision, next);
    }
    checkOnce(event, seen, findings);
    checkContent(event, live, findings);
  }
  return findings.count === found;
}

function checkStep(
  from: number,
  to: number,
  { isPartial = false }: TimelineStart,
  findings: FindingSink<KvEventsRule>,
): void {
  if (to < from) findings.add("event-order", `an event of revision ${to} came after one of revision ${from}`);
  else if (to > from + 1 && !isPartial)
    findings.add("event-gap", `there is no event of revision ${from + 1}, and one of ${to}`);
}

function checkOnce(event: KvEvent, seen: Set<string>, findings: FindingSink<KvEventsRule>): void {
  const key = eventKey(event);
  if (seen.has(key))
    findings.add("event-order", `key ${quoted(key)} changed twice in revision ${eventRevision(event)}`);
  seen.add(key);
}

function checkContent(event: KvEvent, live: Map<string, KvItem>, findings: FindingSink<KvEventsRule>): void {
  const key = eventKey(event);
  const before = live.get(key);
  if (event.type === "delete") {
    if (before === undefined) findings.add("event-content", `the ${eventText(event)} is of a key that is not there`);
    live.delete(key);
    return;
  }
  const { item } = event;
  const version = (before?.version ?? 0) + 1;
  const createRevision = before?.createRevision ?? item.modRevision;
  if (item.version !== version || item.createRevision !== createRevision)
    findings.add(
      "event-content",
      `the ${eventText(event)} should have version ${version} and create ${createRevision}: before it was ${itemText(before)}`,
    );
  live.set(key, item);
}

/** Whether two live keys are the same in every field. */
export function sameItem(left: KvItem | undefined, right: KvItem | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return (
    left.key === right.key &&
    left.value === right.value &&
    left.createRevision === right.createRevision &&
    left.modRevision === right.modRevision &&
    left.version === right.version &&
    left.lease === right.lease
  );
}

/** Whether two events tell of the same change, whatever they say of what was before. */
export function sameEvent(left: KvEvent, right: KvEvent): boolean {
  if (left.type === "delete" || right.type === "delete")
    return (
      left.type === right.type && eventKey(left) === eventKey(right) && eventRevision(left) === eventRevision(right)
    );
  return sameItem(left.item, right.item);
}

/** Whether two lists tell of the same changes in the same order. */
export function sameEvents(left: readonly KvEvent[], right: readonly KvEvent[]): boolean {
  return (
    left.length === right.length && left.every((event, at) => right[at] !== undefined && sameEvent(event, right[at]))
  );
}

/** Two lists of events that should be the same, for people. */
export function differenceText(actual: readonly KvEvent[], expected: readonly KvEvent[]): string {
  return `there was ${eventsText(actual)}, and should have been ${eventsText(expected)}`;
}
