/**
 * @module Cuts a body that holds one JSON object after the other into these objects. It looks at braces and texts
 * only; whether an object is sound is found out by whoever reads it.
 */
import { concatBytes } from "@conclave/base";
import { GrpcStatus } from "@conclave/protocol";
import { JsonError } from "@conclave/protocol/json";
import { RpcError } from "@conclave/rpc";

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const whitespace: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** Takes the bytes as they come and gives each object as soon as it is complete. */
export class JsonSplitter {
  readonly #maxBytes: number;
  #pieces: Uint8Array[] = [];
  #piecesBytes = 0;
  #depth = 0;
  #inText = false;
  #escaped = false;

  /** @param maxBytes - the longest object */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether an object has begun that is not complete. */
  get isInside(): boolean {
    return this.#depth > 0;
  }

  /**
   * Takes the next bytes, which must not change until their objects were taken.
   *
   * @throws JsonError if something other than an object begins; RpcError `RESOURCE_EXHAUSTED` if one is too long
   */
  *push(bytes: Uint8Array): Generator<string, void> {
    let start = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (this.#depth === 0) {
        start = at;
        if (whitespace.has(bytes[at] as number)) continue;
      }
      if (!this.#isLast(bytes[at] as number)) continue;
      yield this.#take(bytes.subarray(start, at + 1));
    }
    if (this.#depth > 0) this.#keep(bytes.subarray(start));
  }

  /** Looks at one byte of an object; tells whether it is its last. */
  #isLast(byte: number): boolean {
    if (this.#inText) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === backslash) this.#escaped = true;
      else if (byte === quote) this.#inText = false;
      return false;
    }
    if (this.#depth === 0 && byte !== openBrace) {
      throw new JsonError(`syntax error: unexpected token ${JSON.stringify(String.fromCharCode(byte))}`);
    }
    if (byte === quote) this.#inText = true;
    else if (byte === openBrace) this.#depth++;
    else if (byte === closeBrace) return --this.#depth === 0;
    return false;
  }

  #keep(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#piecesBytes += bytes.length;
    if (this.#piecesBytes <= this.#maxBytes) return;
    throw new RpcError(GrpcStatus.ResourceExhausted, `received a JSON object of more than ${this.#maxBytes} bytes`);
  }

  #take(end: Uint8Array): string {
    this.#keep(end);
    const object = Buffer.from(concatBytes(this.#pieces)).toString("utf8");
    this.#pieces = [];
    this.#piecesBytes = 0;
    return object;
  }
}
