import { invariant } from "@conclave/base";

/** How a proposal ended: with the value that applying it gave, or with the error. */
export type Outcome<R> = { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: Error };

/** The span in which a request hopes for its outcome, in monotonic milliseconds. */
export interface Wait {
  /** When it was made. */
  readonly startMs: number;
  /** When it is given up. */
  readonly deadlineMs: number;
}

interface Pending<R> extends Wait {
  readonly resolve: (value: R) => void;
  readonly reject: (error: Error) => void;
}

/** The requests of this member that wait for their entry to be applied, by request key. */
export interface Proposals<R> {
  /** How many wait. */
  readonly size: number;
  /** Waits for the entry with this key; resolves or rejects as it ends. */
  wait(key: number, wait: Wait): Promise<R>;
  /** Whether somebody waits for this key. */
  has(key: number): boolean;
  /** Ends the wait for this key; does nothing if nobody waits, as for entries of other members or earlier lives. */
  settle(key: number, outcome: Outcome<R>): void;
  /** Ends every wait whose deadline has passed, with the error that `reason` gives for it. */
  expire(nowMs: number, reason: (wait: Wait) => Error): void;
  /** Ends every wait with this error. */
  abandon(error: Error): void;
}

/** Creates an empty table of waiting requests. */
export function createProposals<R>(): Proposals<R> {
  const pending = new Map<number, Pending<R>>();

  function settle(key: number, outcome: Outcome<R>): void {
    const waiting = pending.get(key);
    if (waiting === undefined) return;
    pending.delete(key);
    if (outcome.ok) waiting.resolve(outcome.value);
    else waiting.reject(outcome.error);
  }

  return {
    get size() {
      return pending.size;
    },
    wait(key, { startMs, deadlineMs }) {
      invariant(!pending.has(key), "request keys are unique among those that wait", key);
      return new Promise((resolve, reject) => pending.set(key, { startMs, deadlineMs, resolve, reject }));
    },
    has: (key) => pending.has(key),
    settle,
    expire(nowMs, reason) {
      for (const [key, waiting] of pending) {
        if (waiting.deadlineMs <= nowMs) settle(key, { ok: false, error: reason(waiting) });
      }
    },
    abandon(error) {
      for (const key of [...pending.keys()]) settle(key, { ok: false, error });
    },
  };
}
