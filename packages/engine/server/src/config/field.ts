/** @module What an option is: how its value is read, what it is by default, and what an operator is told of it. */
import type { z } from "zod";
import { durationMs, flag } from "./scalars.ts";

/** How an option is written on a command line and in a file. */
export type FieldForm =
  /** It takes a value. */
  | "value"
  /** It may stand alone, for `true`. */
  | "toggle"
  /** It takes a duration; a bare number in a configuration file counts nanoseconds, as in etcd's. */
  | "duration";

/** What belongs to an option beside the form of its value. */
export interface FieldOptions<T> {
  /** Its value when nothing is given. */
  readonly fallback: T;
  /** What `--help` says of it. */
  readonly help: string;
  /** The default as `--help` shows it, where the value itself would not be understood. */
  readonly fallbackText?: string;
  /** Whether etcd 3.4 or 3.5 called it `--experimental-…`; that name is taken too. Default false. */
  readonly experimental?: boolean;
  /** Whether its value is or may hold a secret: then no error names it. Default false. */
  readonly secret?: boolean;
  /** Why it is without effect: whoever gives it is warned with this. Default: it has an effect. */
  readonly unused?: string;
}

/** One option. */
export interface Field<T> extends FieldOptions<T> {
  /** Reads a text as a flag has it, or a value as an embedder gives it, and may be applied to what it has read. */
  readonly schema: z.ZodType<T>;
  /** How it is written. */
  readonly form: FieldForm;
}

/** The options of a section by their keys in the configuration. */
export type Fields<S> = { readonly [K in keyof S]-?: Field<S[K]> };

/** Refuses the value of an option. */
export type Refuse<S> = (option: keyof S & string, reason: string) => void;

/** Options that belong together. */
export interface Section<S> {
  /** Its heading in `--help`, as in etcd's. */
  readonly title: string;
  /** Its options, in the order of `--help`. */
  readonly fields: Fields<S>;
  /** Refuses values that do not go together. Default: any do. */
  readonly check?: (config: S, refuse: Refuse<S>) => void;
}

/** An option that takes a value. */
export function option<T>(schema: z.ZodType<T>, options: FieldOptions<T>): Field<T> {
  return { ...options, schema, form: "value" };
}

/** An option that is true or false. */
export function toggle(options: FieldOptions<boolean>): Field<boolean> {
  return { ...options, schema: flag, form: "toggle" };
}

/** An option that takes a duration, kept in milliseconds. */
export function duration(options: FieldOptions<number>): Field<number> {
  return { ...options, schema: durationMs, form: "duration" };
}
