/** @module JSON as Go's `encoding/json` writes it: bytes in base64, 64-bit integers as exact numbers. */
import { asBuffer } from "@conclave/base";

/** What can be written. A field that is `undefined` is left out. */
export type GoValue =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly GoValue[]
  | { readonly [field: string]: GoValue };

/** Writes a value in one line, fields in their order. */
export function goJson(value: GoValue): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "string") return jsonText(value);
  if (typeof value !== "object") return String(value);
  if (value instanceof Uint8Array) return `"${asBuffer(value).toString("base64")}"`;
  if (isList(value)) return `[${value.map(goJson).join(",")}]`;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return `{${fields.map(([name, field]) => `${jsonText(name)}:${goJson(field)}`).join(",")}}`;
}

/** The fields that are not zero: what Go's `omitempty` leaves of a message. */
export function omitEmpty(fields: Readonly<Record<string, GoValue>>): Record<string, GoValue> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isZero(value)));
}

function isZero(value: GoValue): boolean {
  if (value instanceof Uint8Array || typeof value === "string") return value.length === 0;
  if (typeof value === "object" && value !== null && isList(value)) return value.length === 0;
  return value === undefined || value === null || value === false || value === 0 || value === 0n;
}

function isList(value: object): value is readonly GoValue[] {
  return Array.isArray(value);
}

/** Go escapes what could end a script in HTML, and the line ends that JavaScript once did not allow. */
function jsonText(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
