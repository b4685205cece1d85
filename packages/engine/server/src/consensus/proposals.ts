import { invariant } from "@conclave/base";
import type { ConfChange } from "@conclave/raft";
import { Deferred } from "@conclave/rpc";
import type { Command } from "../apply/commands.ts";

/** How a proposal ended: with the value that applying it gave, or with the error. */
export type Outcome<R> = { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: Error };

/** The span in which a request hopes for its outcome, in monotonic milliseconds. */
export interface Wait {
  /** When it was made. */
  readonly startMs: number;
  /** When it is given up. */
  readonly deadlineMs: number;
}

/** What is proposed for a request. */
export interface Submission {
  /** Tells the request from all others of this member. */
  readonly key: number;
  /** The bytes of the entry, or the change of the membership that it will hold. */
  readonly entry: Uint8Array | ConfChange;
  /** What the bytes say, if they need not be read again to know it. */
  readonly command: Command | undefined;
}

/** A request of this member that waits for its entry to be applied. All that is kept of it is in here. */
export class Proposal<R> extends Deferred<R> implements Submission, Wait {
  readonly key: number;
  readonly entry: Uint8Array | ConfChange;
  readonly command: Command | undefined;
  readonly startMs: number;
  readonly deadlineMs: number;
  /** Where its entry is in the log, if this member has put it there; 0 else. */
  index = 0;
  /** The term of that entry. */
  term = 0;

  constructor({ key, entry, command }: Submission, { startMs, deadlineMs }: Wait) {
    super();
    this.key = key;
    this.entry = entry;
    this.command = command;
    this.startMs = startMs;
    this.deadlineMs = deadlineMs;
  }
}

/** The requests of this member that wait for their entry to be applied: by request key, and by their place in the log. */
export class Proposals<R> {
  readonly #waiting = new Map<number, Proposal<R>>();
  readonly #placed = new Map<number, Proposal<R>>();

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Waits for an entry. */
  add(proposal: Proposal<R>): void {
    const { key } = proposal;
    invariant(!this.#waiting.has(key), "request keys are unique among those that wait", key);
    this.#waiting.set(key, proposal);
  }

  /** Whether somebody waits for this key. */
  has(key: number): boolean {
    return this.#waiting.has(key);
  }

  /** Takes note of where the log has the entry of a request. Until it is committed another may take that place. */
  place(proposal: Proposal<R>, { index, term }: { readonly index: number; readonly term: number }): void {
    proposal.index = index;
    proposal.term = term;
    this.#placed.set(index, proposal);
  }

  /** The request whose entry this is, if it was placed and still waits. */
  placedAt(index: number, term: number): Proposal<R> | undefined {
    const proposal = this.#placed.get(index);
    return proposal?.term === term ? proposal : undefined;
  }

  /** Ends the wait for this key; does nothing if nobody waits, as for entries of other members or earlier lives. */
  settle(key: number, outcome: Outcome<R>): void {
    const proposal = this.#waiting.get(key);
    if (proposal === undefined) return;
    this.#waiting.delete(key);
    const { index } = proposal;
    if (index > 0 && this.#placed.get(index) === proposal) this.#placed.delete(index);
    if (outcome.ok) proposal.resolve(outcome.value);
    else proposal.reject(outcome.error);
  }

  /** Ends every wait whose deadline has passed, with the error that `reason` gives for it. */
  expire(nowMs: number, reason: (wait: Wait) => Error): void {
    for (const [key, proposal] of this.#waiting) {
      if (proposal.deadlineMs <= nowMs) this.settle(key, { ok: false, error: reason(proposal) });
    }
  }

  /** Ends every wait with this error. */
  abandon(error: Error): void {
    for (const key of [...this.#waiting.keys()]) this.settle(key, { ok: false, error });
  }
}
