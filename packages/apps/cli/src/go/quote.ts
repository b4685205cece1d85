import { asBuffer } from "@conclave/base";

const shortEscapes: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

/** What Go calls printable: letters, marks, numbers, punctuation, symbols and the ASCII space. */
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Bytes as Go's verb `%q` writes them: in double quotes, with escapes for all that is not printable UTF-8. */
export function quoteBytes(bytes: Uint8Array): string {
  let quoted = '"';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    quoted += length === 0 ? byteEscape(bytes[at] ?? 0) : quoteCharacter(textAt(bytes, at, length));
    at += Math.max(1, length);
  }
  return `${quoted}"`;
}

/** Text as Go's verb `%q` writes it. */
export function quoteText(text: string): string {
  return `"${[...text].map(quoteCharacter).join("")}"`;
}

/** Bytes as etcdctl's `--hex` shows them: `\x66\x6f\x6f`. */
export function hexEscapes(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byteEscape(byte);
  return text;
}

function quoteCharacter(character: string): string {
  const short = shortEscapes[character];
  if (short !== undefined) return short;
  if (printable.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return byteEscape(code);
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
}

function byteEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return asBuffer(bytes).toString("utf8", at, at + length);
}

/** The length of the valid UTF-8 sequence that starts here, or 0 if none does. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  // U+FFFD itself is three bytes long: a decoder that gives one for fewer has met a malformed sequence.
  const text = textAt(bytes, at, length);
  const valid =
    first >= 0xc2 &&
    at + length <= bytes.length &&
    Buffer.from(text, "utf8").compare(bytes.subarray(at, at + length)) === 0;
  return valid ? length : 0;
}
