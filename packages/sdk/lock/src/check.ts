import { ConclaveError } from "@conclave/client";
import * as z from "zod";

/** Checks what a user passed in, and returns it as it was given. */
export function check<T>(schema: z.ZodType, value: T, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return value;
  const [issue] = result.error.issues;
  throw new ConclaveError("INVALID_ARGUMENT", `Invalid ${what}: ${issue?.path.join(".") ?? ""} ${issue?.message}`);
}

/** A name. */
export const nameSchema: z.ZodType = z.string().min(1, "must not be empty");

/** The fields that the options of everything in this package share. */
export const contenderFields: {
  readonly ttlSec: z.ZodOptional<z.ZodNumber>;
  readonly marginMs: z.ZodOptional<z.ZodNumber>;
  readonly renewer: z.ZodOptional;
  readonly holder: z.ZodOptional<z.ZodString>;
} = {
  ttlSec: z.number().int().min(1).optional(),
  marginMs: z.number().min(0).optional(),
  renewer: z.strictObject({ maxStallMs: z.number().min(10) }).optional(),
  holder: z.string().optional(),
};

/** What all those options look like. */
export const contenderSchema: z.ZodType = z.strictObject(contenderFields);
