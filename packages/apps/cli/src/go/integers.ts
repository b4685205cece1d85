const int64Max = (1n << 63n) - 1n;
const uint64Max = (1n << 64n) - 1n;
const int64Min = -(1n << 63n);

/**
 * Reads a 64-bit integer as Go's `strconv.ParseInt` does.
 *
 * @param base - 10 or 16, without a prefix; 0 for what flags take: decimal, `0x`, `0o`, `0b`, a leading `0` for
 * octal, and underscores between digits
 * @throws RangeError with Go's words if the text is no such number or too large
 */
export function parseInt64(text: string, base: 0 | 10 | 16): bigint {
  const value = magnitude(text.replace(/^[+-]/, ""), base);
  if (value === undefined) throw new RangeError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  const signed = text.startsWith("-") ? -value : value;
  if (signed > int64Max || signed < int64Min)
    throw new RangeError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  return signed;
}

/**
 * Reads an unsigned 64-bit integer in hexadecimal, as Go's `strconv.ParseUint` does.
 *
 * @throws RangeError with Go's words if the text is no such number or too large
 */
export function parseUint64Hex(text: string): bigint {
  const value = magnitude(text, 16);
  if (value === undefined) throw new RangeError(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (value > uint64Max) throw new RangeError(`strconv.ParseUint: parsing ${JSON.stringify(text)}: value out of range`);
  return value;
}

function magnitude(digits: string, base: 0 | 10 | 16): bigint | undefined {
  if (base === 10) return /^\d+$/.test(digits) ? BigInt(digits) : undefined;
  if (base === 16) return /^[\da-f]+$/i.test(digits) ? BigInt(`0x${digits}`) : undefined;
  if (!/^(0[xob])?_?[\da-f]+(_[\da-f]+)*$/i.test(digits)) return undefined;
  const plain = digits.replaceAll("_", "").toLowerCase();
  const literal = /^0\d/.test(plain) ? `0o${plain.slice(1)}` : plain;
  return /^(0x[\da-f]+|0o[0-7]+|0b[01]+|\d+)$/.test(literal) ? BigInt(literal) : undefined;
}

/** An id as etcdctl shows leases: 16 hexadecimal digits, a minus sign counted as one. */
export function hex16(id: bigint): string {
  return id < 0n ? `-${(-id).toString(16).padStart(15, "0")}` : id.toString(16).padStart(16, "0");
}
