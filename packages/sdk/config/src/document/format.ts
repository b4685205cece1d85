/** @module How a value becomes what is stored, and what is stored a value again: the codec, and then the schema. */
import { type Codec, ConclaveError, describeIssues, jsonCodec, type StandardSchema } from "@conclave/client";

/** What makes values of bytes. */
export interface DocumentFormat<Value> {
  /** Between what JSON can say and bytes. */
  readonly codec: Codec<unknown>;
  /** Between what JSON can say and values. */
  readonly schema: StandardSchema<Value>;
}

/** The codec of documents that say nothing about it. */
export const plainJson: Codec<unknown> = jsonCodec<unknown>();

/**
 * What is stored, before the schema has seen it.
 *
 * @param what - what it is, for the error
 * @throws ConclaveError `DATA_LOSS`
 */
export function decodeJson(codec: Codec<unknown>, bytes: Uint8Array, what: string): unknown {
  try {
    return codec.decode(bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConclaveError("DATA_LOSS", `Cannot decode ${what}: ${reason}`, { cause });
  }
}

/** What to say if a schema refuses. */
export interface Refusal {
  /** Whose fault it is: the caller's, or that of who wrote what was read. */
  readonly code: "INVALID_ARGUMENT" | "DATA_LOSS";
  /** What cannot be done, as "publish "a"". */
  readonly action: string;
}

/**
 * What the schema makes of a value.
 *
 * @throws ConclaveError with the code of the refusal
 */
export async function checkValue<Value>(
  schema: StandardSchema<Value>,
  json: unknown,
  { code, action }: Refusal,
): Promise<Value> {
  const result = await run(schema, json, { code, action });
  if (result.issues === undefined) return result.value;
  throw new ConclaveError(code, `Cannot ${action} as the schema refuses it: ${describeIssues(result.issues)}`);
}

/** A schema that throws has refused too: what it was given came from outside. */
async function run<Value>(
  schema: StandardSchema<Value>,
  json: unknown,
  { code, action }: Refusal,
): Promise<Awaited<ReturnType<StandardSchema<Value>["~standard"]["validate"]>>> {
  try {
    return await schema["~standard"].validate(json);
  } catch (cause) {
    throw new ConclaveError(code, `Cannot ${action} as the schema failed on it: ${String(cause)}`, { cause });
  }
}

/**
 * The value of a stored document.
 *
 * @throws ConclaveError `DATA_LOSS`
 */
export async function decodeValue<Value>(
  { codec, schema }: DocumentFormat<Value>,
  bytes: Uint8Array,
  { key, revision }: { readonly key: string; readonly revision: number },
): Promise<Value> {
  const json = decodeJson(codec, bytes, `revision ${revision} of "${key}"`);
  return await checkValue(schema, json, { code: "DATA_LOSS", action: `read revision ${revision} of "${key}"` });
}
