/** @module The header fields of a request, and the rules of RFC 9113 §8.2 and §8.3 that make one malformed. */
import type { HeaderFields } from "../transport.ts";
import { fieldBytes } from "./hpack/dynamic-table.ts";
import type { Field } from "./hpack/static-table.ts";

/** A token of RFC 9110 §5.6.2, in lower case. */
const namePattern = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const valuePattern = /^(?![ \t])[^\0\r\n]*(?<![ \t])$/;

const pseudoNames: ReadonlySet<string> = new Set([":method", ":scheme", ":authority", ":path"]);
/** They concern the connection of HTTP/1.1, and have no place here (RFC 9113 §8.2.2). */
const connectionNames: ReadonlySet<string> = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
]);

/** Collects the fields of one request. */
export class RequestFields {
  readonly #bytesMax: number;
  readonly #fields: Record<string, string> = Object.create(null);
  #bytes = 0;
  #isPseudoOver = false;
  #malformed: string | undefined;

  /** @param bytesMax - the most that all fields may take, as RFC 9113 §6.5.2 counts them */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether there are more fields than are looked at. */
  get isTooLong(): boolean {
    return this.#bytes > this.#bytesMax;
  }

  /** Adds a field. */
  add(field: Field): void {
    this.#bytes += fieldBytes(field);
    if (this.isTooLong || this.#malformed !== undefined) return;
    const [name, value] = field;
    this.#malformed = this.#faultOf(name, value);
    const before = this.#fields[name];
    this.#fields[name] = before === undefined ? value : `${before}, ${value}`;
  }

  /** The fields; undefined if they make no request. */
  finish(): HeaderFields | undefined {
    if (this.#malformed !== undefined || this.isTooLong) return undefined;
    const { ":method": method, ":scheme": scheme, ":path": path } = this.#fields;
    return method === undefined || scheme === undefined || path === undefined || path === "" ? undefined : this.#fields;
  }

  #faultOf(name: string, value: string): string | undefined {
    if (!valuePattern.test(value)) return `the value of ${name}`;
    if (name.startsWith(":")) {
      const isAllowed = pseudoNames.has(name) && !this.#isPseudoOver && this.#fields[name] === undefined;
      return isAllowed ? undefined : name;
    }
    this.#isPseudoOver = true;
    if (!namePattern.test(name) || connectionNames.has(name) || (name === "te" && value !== "trailers")) return name;
    return undefined;
  }
}
