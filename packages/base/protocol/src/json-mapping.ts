/**
 * @module Messages of the public API as JSON, by protobuf's own mapping as etcd's gateway uses it: field names as in
 * the IDL, 64-bit numbers as texts, bytes in base64, enums by name, and nothing that has its default. What is read may
 * also have camel-case names, numbers as numbers, base64 of either alphabet and fields or enum names that are unknown,
 * which count for nothing.
 */
import { type DescMessage, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { isSafeNumber, parse } from "lossless-json";
import { publicRegistry } from "./descriptors.ts";

/** Thrown for a text that is no JSON, or no message of the wanted type. */
export class JsonError extends Error {
  override readonly name = "JsonError";
}

/** A number as JSON has it. One that a double cannot hold stays whole, for the 64-bit fields. */
function parseNumber(text: string): number | bigint {
  return /^-?\d+$/.test(text) && !isSafeNumber(text) ? BigInt(text) : Number(text);
}

function descriptorOf(type: string): DescMessage {
  const descriptor = publicRegistry().getMessage(type);
  if (descriptor === undefined) throw new TypeError(`Cannot map to JSON as the message is not in the API: "${type}"`);
  return descriptor;
}

/**
 * Encodes a message that is given as JSON.
 *
 * @param type - the message's full name, such as `etcdserverpb.PutRequest`
 * @throws {@link JsonError} if the text is no such message
 */
export function encodeFromJson(type: string, text: string): Uint8Array {
  const descriptor = descriptorOf(type);
  try {
    const json = parse(text, undefined, { parseNumber }) as JsonValue;
    return toBinary(descriptor, fromJson(descriptor, json, { ignoreUnknownFields: true }));
  } catch (error) {
    throw new JsonError(reasonOf(error));
  }
}

/** What the mapping says is wrong, as far as it says so without what was given. */
const mappingReason =
  /^cannot decode (?:field|message|enum) [\w.]+ from JSON(?:: (?:expected [\w() ]+|invalid base64 string|set multiple times|list item must not be null))?/;

/** What is wrong, and where; not what stands there, which may be a value or a password. */
function reasonOf(error: unknown): string {
  const { message } = error as Error;
  const position = error instanceof SyntaxError ? (/ at position \d+$/.exec(message)?.[0] ?? "") : "";
  return mappingReason.exec(message)?.[0] ?? `malformed JSON${position}`;
}

/**
 * Tells an encoded message as JSON, in one line.
 *
 * @param type - the message's full name
 * @param bytes - the message; from a codec of this package
 */
export function jsonOf(type: string, bytes: Uint8Array): string {
  const descriptor = descriptorOf(type);
  return JSON.stringify(toJson(descriptor, fromBinary(descriptor, bytes), { useProtoFieldName: true }));
}
