/**
 * @module The scalars of a configuration. Texts, which flags, environment and files have, and native values, which
 * embedders have, are both taken.
 */
import { z } from "zod";

/** A whole number in a range, both ends included. */
export function wholeNumber(range: { readonly min: number; readonly max?: number }): z.ZodType<number> {
  const max = range.max ?? Number.MAX_SAFE_INTEGER;
  const wanted =
    range.max === undefined ? `a whole number from ${range.min}` : `a whole number from ${range.min} to ${max}`;
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^-?\d+$/)
          .transform(Number),
      ],
      { error: `must be ${wanted}` },
    )
    .refine((value) => Number.isSafeInteger(value) && value >= range.min && value <= max, {
      error: `must be ${wanted}`,
    });
}

const truths: ReadonlyMap<string, boolean> = new Map([
  ...["1", "t", "T", "true", "TRUE", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "false", "FALSE", "False"].map((text) => [text, false] as const),
]);

/** True or false, in any of the ways Go writes them. */
export const flag: z.ZodType<boolean> = z.union([z.boolean(), z.string()]).transform((value, context) => {
  const parsed = typeof value === "boolean" ? value : truths.get(value);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: "custom", message: "must be true or false" });
  return z.NEVER;
});

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly [T, ...T[]]): z.ZodType<T> {
  const quoted = words.map((word) => (word === "" ? "empty" : word));
  const wanted = words.length === 1 ? quoted.join() : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
  return z.enum(words, { error: `must be ${wanted}` });
}

/** Any text. */
export const text: z.ZodType<string> = z.string({ error: "must be a text" });

/** Texts, separated by commas where they come as one. */
export const list: z.ZodType<readonly string[]> = z.union(
  [
    z.array(z.string()).readonly(),
    z.string().transform((joined): readonly string[] =>
      joined
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== ""),
    ),
  ],
  { error: "must be a list, or a text with commas" },
);

const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
  µs: 0.001,
  ns: 0.000_001,
};

/** Milliseconds of a duration as Go writes it, such as `1h30m`; undefined if it is none. */
export function parseDurationMs(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(\d+(\.\d+)?(h|ms|m|s|us|µs|ns))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount = "", , unit = ""] of text.matchAll(/(\d+(\.\d+)?)(h|ms|m|s|us|µs|ns)/g))
    totalMs += Number(amount) * (unitMs[unit] ?? 0);
  return totalMs;
}

/** A duration in milliseconds. */
export const durationMs: z.ZodType<number> = z
  .union([z.number().min(0), z.string()], { error: "must be a duration like 100ms, 5s or 2h" })
  .transform((value, context) => {
    const parsed = typeof value === "number" ? value : parseDurationMs(value);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: "custom", message: "must be a duration like 100ms, 5s or 2h" });
    return z.NEVER;
  });
