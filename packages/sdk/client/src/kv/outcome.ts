/** @module What became of a write, where the caller has to decide what follows from it. */
import { type ConclaveError, isConclaveError } from "../conclave-error.ts";

/** It took effect, once. */
export interface Committed {
  /** Took effect. */
  readonly kind: "committed";
  /** The revision at which it did. */
  readonly revision: number;
}

/** It did not take effect, as its condition did not hold. */
export interface Rejected<Current> {
  /** Took no effect. */
  readonly kind: "rejected";
  /** What was there instead; undefined if nothing was. */
  readonly current: Current | undefined;
}

/** It was sent, and whether it took effect is not known. */
export interface Unknown {
  /** May have taken effect, or may still. */
  readonly kind: "unknown";
  /** What happened: `OUTCOME_UNKNOWN`, or `ABORTED` and the like with `maybeApplied`. */
  readonly error: ConclaveError;
}

/** What became of a write. */
export type WriteOutcome<Current> = Committed | Rejected<Current> | Unknown;

/**
 * Makes a value of the error that says that an outcome is not known.
 *
 * @throws every other error: then nothing was changed
 */
export function unknownOutcome(error: unknown): Unknown {
  if (isConclaveError(error) && error.maybeApplied) return { kind: "unknown", error };
  throw error;
}
