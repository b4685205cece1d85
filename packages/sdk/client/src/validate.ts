/** @module Checks of what users pass in, with messages that name the option and show what was received. */
import * as z from "zod";
import { ConclaveError } from "./conclave-error.ts";

/** Checks a value against a schema and returns it as it was given. */
export function validate<T>(schema: z.ZodType, value: T, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return value;
  const flaws = result.error.issues.map(
    (issue) => `${describePath(issue.path, what)}: ${issue.message}${received(value, issue)}`,
  );
  throw new ConclaveError("INVALID_ARGUMENT", `Invalid ${what}: ${flaws.join("; ")}`);
}

/** As {@link validate}, for options of which all may be left out: an empty object, the usual case, costs nothing. */
export function validateOptions<T extends object>(schema: z.ZodType, options: T, what: string): T {
  return isEmpty(options) ? options : validate(schema, options, what);
}

function isEmpty(options: unknown): boolean {
  if (typeof options !== "object" || options === null) return false;
  for (const _ in options) return false;
  return true;
}

function describePath(path: readonly PropertyKey[], what: string): string {
  return path.length === 0 ? what : path.map(String).join(".");
}

/** What was received, but neither what stands beside an unknown option nor anything of TLS: it may be a secret. */
function received(value: unknown, { code, path }: z.core.$ZodIssue): string {
  return code === "unrecognized_keys" || path[0] === "tls" ? "" : ` (received ${show(at(value, path))})`;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

function show(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function" || typeof value === "symbol" || value === undefined) return String(value);
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "bigint" ? `${inner}n` : inner)).slice(
    0,
    200,
  );
}

/** A non-negative whole number, such as a revision or a limit. */
export const count: z.ZodType = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** A 64-bit id. */
export const id64: z.ZodType = z
  .bigint()
  .min(-(2n ** 63n))
  .max(2n ** 63n - 1n);

/** A whole number of any sign in 64 bits, for the operands of compares. */
export const int64: z.ZodType = z.union([z.number().int(), id64]);

/** A key or value. */
export const bytesInput: z.ZodType = z.union([z.string(), z.instanceof(Uint8Array)], "expected a string or Uint8Array");

/** A key or a range of keys. */
export const rangeInput: z.ZodType = z.union(
  [
    z.string(),
    z.instanceof(Uint8Array),
    z.object({ key: z.instanceof(Uint8Array), rangeEnd: z.instanceof(Uint8Array) }),
  ],
  'expected a string, Uint8Array or a range such as prefix("a/")',
);

/** A delay or limit in milliseconds. */
export const durationMs: z.ZodType = z.number().min(0).or(z.literal(Number.POSITIVE_INFINITY));

/** The fields of {@link CallOptions}. */
export const callFields: { readonly signal: z.ZodOptional; readonly timeoutMs: z.ZodOptional } = {
  signal: z.instanceof(AbortSignal).optional(),
  timeoutMs: durationMs.optional(),
};
