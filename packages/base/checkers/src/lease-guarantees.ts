/**
 * @module Does a lease keep its word? A lease that was renewed keeps its keys until the time that the renewal promised,
 * whatever happens to members meanwhile; one that has ended leaves none behind.
 */
import { eventKey, eventRevision, type KvEvent } from "./kv-operation.ts";
import { quoted } from "./kv-text.ts";
import { KvTimeline, type TimelineStart } from "./kv-timeline.ts";
import { keysOfLease } from "./kv-writers.ts";
import { Findings, type Verdict } from "./verdict.ts";

/** What {@link checkLeases} can find broken. */
export type LeaseRule =
  /** A key vanished with its lease before the deadline that a grant or renewal had promised. */
  | "early-expiry"
  /** A lease that was never granted has ended. */
  | "stranger"
  /** A lease has ended and a key is still attached to it. */
  | "left-behind"
  /** A key was attached to a lease that had ended. */
  | "attached-late"
  /** A lease was renewed after the client was told that it had ended. */
  | "renewed-late";

/** Something that a client did with a lease and was told. All times are of one clock. */
export type LeaseRecord =
  /** It was granted or renewed, and so lives at least its time to live from when that was asked for. */
  | {
      readonly kind: "granted" | "renewed";
      readonly lease: string;
      readonly askedMs: number;
      readonly answeredMs: number;
      /** Time to live in the answer. */
      readonly ttlMs: number;
    }
  /** A client asked for its end; it may end from then on. Recorded also if the answer never came. */
  | { readonly kind: "revoking"; readonly lease: string; readonly askedMs: number }
  /** A client was told that it has ended: by a revoke, or by a renewal or a look that found none. */
  | { readonly kind: "ended"; readonly lease: string; readonly answeredMs: number; readonly revision: number };

/** What {@link checkLeases} looks at. No id of a lease may be granted twice in it. */
export interface LeaseInput extends TimelineStart {
  /** In the order in which the answers came. */
  readonly records: readonly LeaseRecord[];
  /** All events of all keys, as {@link checkKvOrder} has found them to be right. */
  readonly events: readonly KvEvent[];
  /**
   * Revisions made by the end of a lease, as {@link checkKvOrder} tells them, with the time at which an event of each
   * was first seen.
   */
  readonly ends: readonly { readonly revision: number; readonly lease: string; readonly seenMs: number }[];
  /** By how much a lease may end too early, in ms, for clocks that do not run alike; default 0. */
  readonly toleranceMs?: number;
}

/** Checks that each lease kept its keys as long as it had promised, and no longer than it lived. */
export function checkLeases(input: LeaseInput): Verdict<LeaseRule> {
  const check = new LeaseCheck(input);
  for (const end of input.ends) check.takeEnd(end);
  for (const record of input.records) check.takeRecord(record);
  check.checkAttachments(input.events);
  return check.findings.verdict();
}

type LeaseEnd = LeaseInput["ends"][number];
type Promised = Extract<LeaseRecord, { kind: "granted" | "renewed" }>;

class LeaseCheck {
  readonly findings = new Findings<LeaseRule>();
  readonly #timeline: KvTimeline;
  readonly #toleranceMs: number;
  readonly #promises = new Map<string, Promised[]>();
  readonly #revokedMs = new Map<string, number>();
  /** The revision at which each lease had certainly ended, the lowest known. */
  readonly #endRevisions = new Map<string, number>();
  readonly #toldEndedMs = new Map<string, number>();

  constructor({ records, events, toleranceMs = 0, ...start }: LeaseInput) {
    this.#timeline = new KvTimeline(events, start);
    this.#toleranceMs = toleranceMs;
    for (const record of records) {
      if (record.kind === "granted" || record.kind === "renewed") this.#promisesOf(record.lease).push(record);
      if (record.kind === "revoking" && !this.#revokedMs.has(record.lease))
        this.#revokedMs.set(record.lease, record.askedMs);
    }
  }

  #promisesOf(lease: string): Promised[] {
    const promises = this.#promises.get(lease) ?? [];
    this.#promises.set(lease, promises);
    return promises;
  }

  /** Its keys were deleted: before `seenMs`, so that no promise may have reached beyond. */
  takeEnd({ lease, revision, seenMs }: LeaseEnd): void {
    this.findings.checked();
    this.#noteEnd(lease, revision);
    const promises = this.#promisesOf(lease);
    if (promises.length === 0)
      this.findings.add("stranger", `lease ${lease} ended at revision ${revision}, and was never granted`);
    if ((this.#revokedMs.get(lease) ?? Number.POSITIVE_INFINITY) <= seenMs) return;
    const broken = promises.find(({ askedMs, ttlMs }) => seenMs + this.#toleranceMs < askedMs + ttlMs);
    if (broken === undefined) return;
    const { kind, askedMs, ttlMs } = broken;
    this.findings.add(
      "early-expiry",
      `lease ${lease} had ended by ${seenMs} ms (revision ${revision}), and was ${kind} at ${askedMs} ms for ${ttlMs} ms`,
    );
  }

  takeRecord(record: LeaseRecord): void {
    this.findings.checked();
    if (record.kind === "ended") {
      this.#noteEnd(record.lease, record.revision);
      if (!this.#toldEndedMs.has(record.lease)) this.#toldEndedMs.set(record.lease, record.answeredMs);
    }
    if (record.kind === "renewed") this.#checkRenewal(record);
  }

  #checkRenewal({ lease, askedMs }: Promised): void {
    const endedMs = this.#toldEndedMs.get(lease);
    if (endedMs !== undefined && askedMs > endedMs)
      this.findings.add(
        "renewed-late",
        `lease ${lease} was renewed at ${askedMs} ms, and was told to have ended at ${endedMs} ms`,
      );
  }

  #noteEnd(lease: string, revision: number): void {
    this.#endRevisions.set(lease, Math.min(revision, this.#endRevisions.get(lease) ?? revision));
  }

  /** Once a lease has ended no key is attached to it, and none is attached again. */
  checkAttachments(events: readonly KvEvent[]): void {
    for (const [lease, revision] of this.#endRevisions) {
      for (const key of keysOfLease(this.#timeline, lease, revision))
        this.findings.add(
          "left-behind",
          `lease ${lease} had ended at revision ${revision}, and key ${quoted(key)} was still there`,
        );
    }
    for (const event of events) {
      const lease = event.type === "put" ? event.item.lease : undefined;
      const ended = lease === undefined ? undefined : this.#endRevisions.get(lease);
      if (ended !== undefined && eventRevision(event) > ended)
        this.findings.add(
          "attached-late",
          `key ${quoted(eventKey(event))} was attached at revision ${eventRevision(event)} to lease ${lease}, which had ended at ${ended}`,
        );
    }
  }
}
