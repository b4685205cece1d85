import { concatBytes, utf8 } from "@conclave/base";

const shortEscapes: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  "\\": 0x5c,
  '"': 0x22,
};

/** A quoted string as Go writes them: `"…"` with escapes, or `` `…` `` as it stands. */
export const quotedPattern = '"(?:[^"\\\\]|\\\\.)*"|`[^`]*`';

/**
 * The bytes that a quoted string of Go stands for.
 *
 * @returns undefined if it is not well formed
 */
export function unquote(text: string): Uint8Array | undefined {
  if (text.length < 2 || text.at(-1) !== text[0]) return undefined;
  const body = text.slice(1, -1);
  if (text.startsWith("`")) return body.includes("`") ? undefined : utf8(body);
  if (!text.startsWith('"')) return undefined;
  const parts: Uint8Array[] = [];
  const token = /[^"\\\n]+|\\(?:([abfnrtv\\"])|x([\dA-Fa-f]{2})|u([\dA-Fa-f]{4})|U([\dA-Fa-f]{8})|([0-7]{3}))/gy;
  while (token.lastIndex < body.length) {
    const match = token.exec(body);
    if (match === null) return undefined;
    const bytes = tokenBytes(match);
    if (bytes === undefined) return undefined;
    parts.push(bytes);
  }
  return concatBytes(parts);
}

function tokenBytes([whole, short, byte, low, high, octal]: RegExpExecArray): Uint8Array | undefined {
  if (short !== undefined) return oneByte(shortEscapes[short]);
  if (byte !== undefined) return oneByte(Number.parseInt(byte, 16));
  if (octal !== undefined) return oneByte(Number.parseInt(octal, 8));
  const code = low ?? high;
  return code === undefined ? utf8(whole) : character(Number.parseInt(code, 16));
}

function oneByte(value: number | undefined): Uint8Array | undefined {
  return value === undefined || value > 0xff ? undefined : Uint8Array.of(value);
}

function character(code: number): Uint8Array | undefined {
  const surrogate = code >= 0xd800 && code <= 0xdfff;
  return surrogate || code > 0x10ffff ? undefined : utf8(String.fromCodePoint(code));
}
