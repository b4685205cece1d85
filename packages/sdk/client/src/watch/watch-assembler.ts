/**
 * @module What one watch makes of the responses it gets: whole revisions, and a cursor that never runs ahead.
 *
 * - The cursor is the last revision that was handed on whole. The header of a response says what the store has
 *   reached, not what the watch has been told: while it catches up, the two differ by as much as the history is
 *   long. The header counts only where nothing else is said: in the answer to a watch "from now on", and in
 *   progress reports.
 * - A response may hold many revisions, and a fragment may end in the middle of one. A revision is whole when an
 *   event of a later one follows, or when the last fragment has come.
 */
import type { WatchResponse } from "@conclave/protocol/etcdserverpb";
import type { Event } from "@conclave/protocol/mvccpb";

/** What a response amounts to. */
export type WatchStep =
  /** The watch stands; everything after `revision` will be told. */
  | { readonly kind: "created"; readonly revision: number }
  /** Every event of one revision. */
  | { readonly kind: "batch"; readonly revision: number; readonly events: readonly Event[] }
  /** There is nothing untold up to this revision. */
  | { readonly kind: "progress"; readonly revision: number }
  /** The member has ended the watch. */
  | { readonly kind: "canceled"; readonly reason: string; readonly compactRevision: number };

/** Puts the responses of one watch together. */
export class WatchAssembler {
  #cursor: number | undefined;
  #partial: Event[] = [];

  /** @param cursor - the last revision not to be told; undefined for a watch from now on */
  constructor(cursor: number | undefined) {
    this.#cursor = cursor;
  }

  /** The last revision that was handed on, or undefined before a watch from now on stands. */
  get cursor(): number | undefined {
    return this.#cursor;
  }

  /** What to ask a member to start from; 0 for now. */
  get startRevision(): number {
    return this.#cursor === undefined ? 0 : this.#cursor + 1;
  }

  /** Everything up to here is known from elsewhere, and what has been put together so far is void. */
  restart(cursor: number | undefined): void {
    this.#partial = [];
    this.#cursor = cursor;
  }

  /** The stream has broken: what has not come whole will come again. */
  interrupt(): void {
    this.#partial = [];
  }

  /** Takes a response. The cursor moves as the steps are drawn from the result. */
  *accept(response: WatchResponse): Generator<WatchStep, void, void> {
    const revision = response.header?.revision ?? 0;
    if (response.created && !response.canceled) {
      // What came before a watch from now on stood is none of its business.
      if (this.#cursor === undefined) this.restart(revision);
      yield { kind: "created", revision: this.#cursor ?? revision };
    }
    yield* this.#acceptEvents(response);
    if (response.canceled) {
      this.#partial = [];
      yield { kind: "canceled", reason: response.cancelReason, compactRevision: response.compactRevision };
    } else if (isProgress(response)) yield* this.acceptProgress(revision);
  }

  /** Takes a report that nothing is untold up to a revision. */
  *acceptProgress(revision: number): Generator<WatchStep, void, void> {
    if (this.#partial.length > 0 || this.#cursor === undefined || revision <= this.#cursor) return;
    this.#cursor = revision;
    yield { kind: "progress", revision };
  }

  *#acceptEvents(response: WatchResponse): Generator<WatchStep, void, void> {
    for (const event of response.events) {
      const last = this.#partial[0];
      if (last !== undefined && revisionOf(last) !== revisionOf(event)) yield* this.#flush();
      // A member may tell again what it has told.
      if (revisionOf(event) > (this.#cursor ?? 0)) this.#partial.push(event);
    }
    if (!response.fragment) yield* this.#flush();
  }

  *#flush(): Generator<WatchStep, void, void> {
    const [first] = this.#partial;
    if (first === undefined) return;
    const events = this.#partial;
    this.#partial = [];
    this.#cursor = revisionOf(first);
    yield { kind: "batch", revision: this.#cursor, events };
  }
}

function revisionOf(event: Event): number {
  return event.kv?.modRevision ?? 0;
}

/** Whether a response reports progress and nothing else. */
export function isProgress(response: WatchResponse): boolean {
  return !response.created && !response.canceled && !response.fragment && response.events.length === 0;
}
