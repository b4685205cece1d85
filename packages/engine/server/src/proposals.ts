import { invariant } from "@conclave/base";
import { WireError } from "@conclave/protocol";

/** How a proposal ended: with the value that applying it gave, or with the error. */
export type Outcome<R> = { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: Error };

interface Pending<R> {
  readonly deadlineMs: number;
  readonly resolve: (value: R) => void;
  readonly reject: (error: Error) => void;
}

/** The requests of this member that wait for their entry to be applied, by request key. */
export interface Proposals<R> {
  /** How many wait. */
  readonly size: number;
  /** Waits for the entry with this key; resolves or rejects as it ends. */
  wait(key: number, deadlineMs: number): Promise<R>;
  /** Ends the wait for this key; does nothing if nobody waits, as for entries of other members or earlier lives. */
  settle(key: number, outcome: Outcome<R>): void;
  /** Ends every wait whose deadline has passed. */
  expire(nowMs: number): void;
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
    wait(key, deadlineMs) {
      invariant(!pending.has(key), "request keys are unique among those that wait", key);
      return new Promise((resolve, reject) => pending.set(key, { deadlineMs, resolve, reject }));
    },
    settle,
    expire(nowMs) {
      for (const [key, waiting] of pending) {
        if (waiting.deadlineMs <= nowMs) settle(key, { ok: false, error: new WireError("Timeout") });
      }
    },
    abandon(error) {
      for (const key of [...pending.keys()]) settle(key, { ok: false, error });
    },
  };
}
