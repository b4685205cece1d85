/**
 * @module Decoding of bytes that nobody vouches for.
 *
 * The generated codecs trust their input: at a tag of zero or an end-group they stop in silence, also inside a
 * nested message whose rest the outer one then reads as its own; a nested length may reach beyond the outer
 * message; a field of another wire type than its own is skipped. So the structure is checked first, in one pass
 * that reads only tags and lengths, and the codec gets what it can read to the end.
 */
import { shapes } from "./gen/shapes.ts";
import type { Codec } from "./services.ts";

/**
 * What is wrong with the bytes: `TRUNCATED` a field reaches beyond its message; `ILLEGAL_TAG` a tag of field 0,
 * of more than 32 bits, or of a group; `WRONG_WIRE_TYPE` a known field in a form that is not its own; `OVERFLOW` a
 * number of more than 64 bits, or beyond 2^53 where a counter is meant; `INVALID_UTF8` a string that is none;
 * `TOO_DEEP` messages nested more than 100 deep.
 */
export type DecodeErrorCode =
  | "TRUNCATED"
  | "ILLEGAL_TAG"
  | "WRONG_WIRE_TYPE"
  | "OVERFLOW"
  | "INVALID_UTF8"
  | "TOO_DEEP";

/** Thrown for bytes that are no message of the wanted type. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
  /** What is wrong. */
  readonly code: DecodeErrorCode;

  constructor(code: DecodeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Reads a message that may be malformed. Fields that are not known are passed over, as protobuf wants it.
 *
 * @throws {@link DecodeError} if the bytes are no message of this type
 */
export function decodeStrict<Message>(codec: Codec<Message>, bytes: Uint8Array): Message {
  checkStructure(codec, bytes);
  return decodeChecked(codec, bytes);
}

/**
 * Checks what the codecs do not.
 *
 * @returns whether the bytes are plain: no field is unknown, none stands twice unless a transaction repeats it, and all
 * stand in ascending order, so that readers of every version make the same of them
 * @throws {@link DecodeError} if the bytes are no message of this type
 */
export function checkStructure(codec: Codec<unknown>, bytes: Uint8Array): boolean {
  const shape = shapeByName.get(codec.$type);
  if (shape === undefined) throw new TypeError(`Cannot decode as the message is not in the IDL: "${codec.$type}"`);
  const checker = new Checker(bytes);
  checker.checkMessage(bytes.length, shape, depthMax);
  return checker.isPlain;
}

/**
 * Reads bytes that {@link checkStructure} has passed.
 *
 * @throws {@link DecodeError} if a number is out of range
 */
export function decodeChecked<Message>(codec: Codec<Message>, bytes: Uint8Array): Message {
  try {
    return codec.decode(bytes);
  } catch (cause) {
    throw new DecodeError("OVERFLOW", `Cannot decode ${codec.$type} as a number is out of range`, { cause });
  }
}

/** The limit of the generated codecs, and of most protobuf libraries. */
const depthMax = 100;

type Kind = "varint" | "varints" | "bytes" | "string";

interface Shape {
  readonly name: string;
  readonly fields: Map<number, Kind | Shape>;
  /** Whether fields may stand more than once. Not all that may are known here. */
  readonly repeats: boolean;
}

const repeating = "etcdserverpb.TxnRequest";

function compileShapes(): ReadonlyMap<string, Shape> {
  const compiled = new Map<string, Shape>(
    Object.keys(shapes).map((name) => [name, { name, fields: new Map(), repeats: name === repeating }]),
  );
  for (const [name, kinds] of Object.entries(shapes))
    for (const [number, kind] of Object.entries(kinds))
      compiled.get(name)?.fields.set(Number(number), compiled.get(kind) ?? (kind as Kind));
  return compiled;
}

const shapeByName = compileShapes();
const utf8 = new TextDecoder("utf-8", { fatal: true });

const varintWire = 0;
const fixed64Wire = 1;
const lengthWire = 2;
const fixed32Wire = 5;

function fits(wire: number, kind: Kind | Shape): boolean {
  if (kind === "varint") return wire === varintWire;
  return wire === lengthWire || (kind === "varints" && wire === varintWire);
}

/** Walks over the bytes of a message once. Every `end` is exclusive and at most the length of the bytes. */
class Checker {
  readonly #bytes: Uint8Array;
  #at = 0;
  isPlain = true;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  checkMessage(end: number, shape: Shape, depthLeft: number): void {
    if (depthLeft === 0) throw this.#fault("TOO_DEEP", shape, `messages are nested more than ${depthMax} deep`);
    let last = 0;
    while (this.#at < end) {
      const tag = this.#readUint32(end, shape, "ILLEGAL_TAG");
      const wire = tag & 7;
      const kind = shape.fields.get(tag >>> 3);
      if (kind === undefined || tag < last || (tag === last && !shape.repeats)) this.isPlain = false;
      last = tag;
      if (tag < 8) throw this.#fault("ILLEGAL_TAG", shape, "a field has the number 0");
      if (kind !== undefined && !fits(wire, kind)) {
        throw this.#fault("WRONG_WIRE_TYPE", shape, `a field has the wire type ${wire}, which is not its own`);
      }
      if (wire === varintWire) this.#skipVarint(end, shape);
      else if (wire === lengthWire) this.#checkDelimited(end, shape, kind, depthLeft);
      else if (wire === fixed64Wire) this.#skip(8, end, shape);
      else if (wire === fixed32Wire) this.#skip(4, end, shape);
      else throw this.#fault("ILLEGAL_TAG", shape, `a field has the wire type ${wire}`);
    }
  }

  #checkDelimited(end: number, shape: Shape, kind: Kind | Shape | undefined, depthLeft: number): void {
    const length = this.#readUint32(end, shape, "TRUNCATED");
    const start = this.#at;
    this.#skip(length, end, shape);
    if (kind === "string") this.#checkUtf8(start, shape);
    if (kind === undefined || kind === "bytes" || kind === "string") return;
    const innerEnd = this.#at;
    this.#at = start;
    if (typeof kind === "object") this.checkMessage(innerEnd, kind, depthLeft - 1);
    else while (this.#at < innerEnd) this.#skipVarint(innerEnd, shape);
  }

  #skip(length: number, end: number, shape: Shape): void {
    const left = end - this.#at;
    if (length > left) throw this.#fault("TRUNCATED", shape, `a field of ${length} bytes has only ${left} left`);
    this.#at += length;
  }

  #skipVarint(end: number, shape: Shape): void {
    const bytes = this.#bytes;
    const last = this.#at + 9;
    while (this.#at < end) {
      const byte = bytes[this.#at] as number;
      if (this.#at === last && byte > 1) throw this.#fault("OVERFLOW", shape, "a number has more than 64 bits");
      this.#at++;
      if (byte < 0x80) return;
    }
    throw this.#fault("TRUNCATED", shape, "a number is cut off");
  }

  /** Reads a tag or a length. One of more than 32 bits is refused with the given code. */
  #readUint32(end: number, shape: Shape, tooLarge: DecodeErrorCode): number {
    let value = 0;
    for (let shift = 0; this.#at < end; shift += 7) {
      const byte = this.#bytes[this.#at++] as number;
      if (shift === 28 && byte > 0x0f) throw this.#fault(tooLarge, shape, "a tag or a length has more than 32 bits");
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw this.#fault("TRUNCATED", shape, "a tag or a length is cut off");
  }

  #checkUtf8(start: number, shape: Shape): void {
    const text = this.#bytes.subarray(start, this.#at);
    if (text.every((byte) => byte < 0x80)) return;
    try {
      utf8.decode(text);
    } catch (cause) {
      throw this.#fault("INVALID_UTF8", shape, "a string is not UTF-8", { cause });
    }
  }

  #fault(code: DecodeErrorCode, { name }: Shape, reason: string, options?: ErrorOptions): DecodeError {
    return new DecodeError(code, `Cannot decode ${name} as ${reason}, at byte ${this.#at}`, options);
  }
}
