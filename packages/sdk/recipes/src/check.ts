import { ConclaveError } from "@conclave/client";
import { z } from "zod";

/** Checks what a user passed in. */
export function check<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where =
    issue === undefined || issue.path.length === 0 ? what : `${issue.path.map(String).join(".")} of ${what}`;
  throw new ConclaveError("INVALID_ARGUMENT", `Invalid ${where}: ${issue?.message}: received ${show(value)}`);
}

function show(value: unknown): string {
  const text = JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "bigint" ? `${inner}n` : inner));
  return String(text).slice(0, 200);
}

/** The name of something: what its keys start with. */
export const nameSchema: z.ZodString = z.string().min(1);
/** The time to live of a lease. */
export const ttlSchema: z.ZodType<number> = z.number().int().min(1);
