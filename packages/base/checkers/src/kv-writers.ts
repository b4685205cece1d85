import { sameEvents } from "./kv-events.ts";
import type { KvHistoryOperation } from "./kv-linearizability.ts";
import { type KvEvent, mayWrite } from "./kv-operation.ts";
import { everyKey, outcomesOf } from "./kv-semantics.ts";
import type { KvTimeline } from "./kv-timeline.ts";

/** Who made a revision: an operation of a client, or the end of a lease. */
export type KvWriter =
  | { readonly kind: "operation"; readonly id: number }
  | { readonly kind: "lease"; readonly lease: string };

/**
 * Finds for each revision that no acknowledged write has made an operation of unknown outcome that can have: one for
 * each, and none for two. As these choices hang together they are made as a matching in a bipartite graph, by
 * augmenting paths (Kuhn 1955).
 */
export class UnknownWriters {
  readonly #timeline: KvTimeline;
  /** Those that may have written, with the highest revision that was known when each was invoked. */
  readonly #unknown: readonly { readonly operation: KvHistoryOperation; readonly floor: number }[];
  /** By place in {@link #unknown}: the revision it is taken to have made. */
  readonly #revisionOf = new Map<number, number>();

  constructor(
    timeline: KvTimeline,
    unknown: readonly { readonly operation: KvHistoryOperation; readonly floor: number }[],
  ) {
    this.#timeline = timeline;
    this.#unknown = unknown.filter(({ operation: { operation } }) => mayWrite(operation));
  }

  /** Finds a writer for one more revision, if need be by giving other revisions another one; false if there is none. */
  explain(revision: number): boolean {
    return this.#augment(revision, new Set());
  }

  /** The writers found. */
  *found(): Generator<[revision: number, writer: KvWriter]> {
    for (const [at, revision] of this.#revisionOf) {
      const id = this.#unknown[at]?.operation.id;
      if (id !== undefined) yield [revision, { kind: "operation", id }];
    }
  }

  #augment(revision: number, tried: Set<number>): boolean {
    for (const at of this.#unknown.keys()) {
      if (tried.has(at) || !this.#canHaveMade(at, revision)) continue;
      tried.add(at);
      const taken = this.#revisionOf.get(at);
      if (taken !== undefined && !this.#augment(taken, tried)) continue;
      this.#revisionOf.set(at, revision);
      return true;
    }
    return false;
  }

  #canHaveMade(at: number, revision: number): boolean {
    const candidate = this.#unknown[at];
    if (candidate === undefined || candidate.floor >= revision) return false;
    const { operation } = candidate.operation;
    const outcomes = outcomesOf(this.#timeline.at(revision - 1), operation, revision);
    return outcomes.some(({ events }) => sameEvents(events, this.#timeline.eventsAt(revision)));
  }
}

/** The lease whose end made these events: they delete all its keys and nothing else. */
export function leaseThatEnded(timeline: KvTimeline, revision: number): string | undefined {
  const events = timeline.eventsAt(revision);
  const [first] = events;
  const lease = first === undefined ? undefined : leaseOf(timeline, revision, first);
  if (lease === undefined) return undefined;
  const revoked = outcomesOf(timeline.at(revision - 1), { kind: "revoke", lease }, revision);
  return revoked.some((outcome) => sameEvents(outcome.events, events)) ? lease : undefined;
}

function leaseOf(timeline: KvTimeline, revision: number, event: KvEvent): string | undefined {
  return event.type === "delete" ? timeline.at(revision - 1).get(event.key)?.lease : undefined;
}

/** The keys that are attached to a lease after a revision. */
export function keysOfLease(timeline: KvTimeline, lease: string, revision: number): readonly string[] {
  const items = timeline.at(revision).range(everyKey);
  return items.filter((item) => item.lease === lease).map(({ key }) => key);
}
