/** @module How values become bytes and bytes become values. */
import { utf8 } from "@conclave/base";
import { ConclaveError } from "./conclave-error.ts";
import { describeIssues, type StandardSchema } from "./standard-schema.ts";

/** Turns values into bytes and back. */
export interface Codec<T> {
  /**
   * The bytes of a value.
   *
   * @throws ConclaveError `INVALID_ARGUMENT` if the codec refuses the value
   */
  encode(value: T): Uint8Array;
  /**
   * The value in these bytes.
   *
   * @throws ConclaveError `DATA_LOSS` if they hold none that the codec takes
   */
  decode(bytes: Uint8Array): T;
}

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as they are. They are handed on, not copied. */
export const bytesCodec: Codec<Uint8Array> = { encode: (value) => value, decode: (bytes) => bytes };

/** Text as UTF-8. Bytes that are no UTF-8 are refused, not patched. */
export const stringCodec: Codec<string> = {
  encode: (value) => utf8(value),
  decode(bytes) {
    try {
      return strictDecoder.decode(bytes);
    } catch (cause) {
      throw new ConclaveError("DATA_LOSS", `Cannot decode ${bytes.length} bytes: they are no UTF-8`, { cause });
    }
  },
};

/**
 * Values as JSON, unchecked: `T` is what the caller promises is stored. Where others write too, use
 * {@link schemaCodec}.
 */
export function jsonCodec<T>(): Codec<T> {
  return {
    encode: (value) => stringCodec.encode(toJson(value)),
    decode: (bytes) => parseJson(stringCodec.decode(bytes)) as T,
  };
}

/**
 * Values as JSON that a schema checks both ways: what could not be read again is not written, and what was written
 * by others is checked before it is believed.
 *
 * @param schema - of any library that follows Standard Schema, such as zod; it must check without waiting
 * @example
 * ```ts
 * const users = schemaCodec(z.object({ name: z.string(), since: z.coerce.date() }));
 * users.decode(users.encode({ name: "ada", since: new Date(0) })).since; // a Date
 * ```
 */
export function schemaCodec<T>(schema: StandardSchema<T>): Codec<T> {
  return {
    encode(value) {
      const json = toJson(value);
      check(schema, JSON.parse(json), { code: "INVALID_ARGUMENT", action: "encode" });
      return stringCodec.encode(json);
    },
    decode: (bytes) => check(schema, parseJson(stringCodec.decode(bytes)), { code: "DATA_LOSS", action: "decode" }),
  };
}

interface Refusal {
  readonly code: "INVALID_ARGUMENT" | "DATA_LOSS";
  readonly action: "encode" | "decode";
}

function check<T>(schema: StandardSchema<T>, value: unknown, { code, action }: Refusal): T {
  const result = schema["~standard"].validate(value);
  if (result instanceof Promise) {
    // Nobody waits for its answer.
    result.catch(() => {});
    throw new ConclaveError("INVALID_ARGUMENT", `Cannot ${action} with a schema that checks asynchronously`);
  }
  if (result.issues === undefined) return result.value;
  const issues = describeIssues(result.issues);
  throw new ConclaveError(code, `Cannot ${action} a value that the schema refuses: ${issues}`);
}

function toJson(value: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConclaveError("INVALID_ARGUMENT", `Cannot encode a value as JSON: ${reason}`, { cause });
  }
  if (json !== undefined) return json;
  throw new ConclaveError("INVALID_ARGUMENT", `Cannot encode a value as JSON: ${typeof value} has no form there`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConclaveError("DATA_LOSS", `Cannot decode a text of ${text.length} characters: it is no JSON`, {
      cause,
    });
  }
}
