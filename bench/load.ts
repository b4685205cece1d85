import type { Subject } from "./subject.ts";

/** What one measurement gave. */
export interface Measurement {
  /** The figure, in the load's unit. */
  readonly value: number;
  /** Operations behind it, to tell what each cost the server; left out where that says nothing. */
  readonly operations?: number;
}

/** What a load should reach: so much at least, or at most where less is better. */
export interface Target {
  /** What it holds for: Conclave's figure divided by etcd's, or Conclave's figure alone. */
  readonly of: "ratio" | "figure";
  readonly value: number;
}

/** A load that every server gets alike. */
export interface Load {
  /** What `--only` calls it. */
  readonly name: string;
  /** The unit of the figure. */
  readonly unit: string;
  /** Whether more or less is better. */
  readonly better: "higher" | "lower";
  /** What Conclave should reach; default: nothing in particular. */
  readonly target?: Target;
  /** How many members each server has; default: 1. The load is put on the leader. */
  readonly members?: number;
  /** Brings a new server to where the load begins; once for all rounds. */
  prepare?(subject: Subject): Promise<void>;
  /** Measures once. */
  measure(subject: Subject): Promise<Measurement>;
}
