/** The empty byte string, shared. */
export const emptyBytes: Uint8Array = new Uint8Array(0);

const utf8Encoder = new TextEncoder();
// Without ignoreBOM a leading U+FEFF would be dropped, and the bytes of a key would not come back.
const utf8Decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The UTF-8 bytes of a string. */
export function utf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** The text of UTF-8 bytes; malformed sequences become U+FFFD. */
export function utf8Text(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes);
}

/** A view of the bytes as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Orders two byte strings as unsigned bytes: negative, zero or positive. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  return Buffer.compare(left, right);
}

/** Whether two byte strings are the same. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && Buffer.compare(left, right) === 0;
}

/** One byte string made of several, copied. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

/**
 * A string with one char (U+0000 to U+00FF) per byte. Comparing two of them with `<` orders them as bytes,
 * they are compact in memory, and they can be keys of a Map: the form in which indexes hold keys.
 */
export function binaryString(bytes: Uint8Array): string {
  return latin1Slice.call(bytes, 0, bytes.length);
}

/** The {@link binaryString} of the bytes from `start` to before `end`, without a view of them. */
export function binaryStringOf(bytes: Uint8Array, start: number, end: number): string {
  return latin1Slice.call(bytes, start, end);
}

/**
 * What `toString("latin1")` of a Buffer ends in, which works on any byte array; making a Buffer first takes longer
 * than all the rest, and indexes do this for every key.
 */
const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
};

/** The bytes of a {@link binaryString}. */
export function binaryStringBytes(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}

/** Lower-case hex, two digits a byte. */
export function hex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("hex");
}

/**
 * The end of the half-open range that holds every key with this prefix: the prefix with its last byte that is
 * not 0xff raised by one and what follows cut off. A prefix of only 0xff (or an empty one) has no end and
 * gives `\0`, which the etcd protocol reads as "to the end of the key space".
 */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  for (let last = prefix.length - 1; last >= 0; last--) {
    const byte = prefix[last] ?? 0xff;
    if (byte < 0xff) {
      // Not `slice`: a Buffer's shares its memory.
      const end = Uint8Array.from(prefix.subarray(0, last + 1));
      end[last] = byte + 1;
      return end;
    }
  }
  return new Uint8Array(1);
}
