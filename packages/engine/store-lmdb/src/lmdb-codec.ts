/**
 * @module How keys and values get out of LMDB. Its library reads into buffers that it uses again, and copies what it
 * hands out into a Buffer each, which takes as long as the read. Copies cut from a slab are several times cheaper.
 */
import { ByteSlab } from "@conclave/base";

/** Copies keys and values out of the library's buffers; for databases that are only read. */
export interface LmdbCodec {
  readonly keyEncoder: {
    writeKey(key: Uint8Array, target: Uint8Array, start: number): number;
    readKey(source: Uint8Array, start: number, end: number): Uint8Array;
  };
  readonly encoder: {
    encode(value: Uint8Array): Uint8Array;
    /** `source` is at least as long as its `length` says, which the library sets to the length of the value. */
    decode(source: Uint8Array): Uint8Array;
  };
}

/** Up to so many bytes are copied one by one. */
const loopBytesMax = 32;

/** A codec with a slab of its own. */
export function createLmdbCodec(): LmdbCodec {
  const slab = new ByteSlab();
  const copyOf = (source: Uint8Array, start: number, length: number) => {
    const copy = slab.take(length);
    // For the few bytes of a key a loop is faster than making the view that `set` wants.
    if (length <= loopBytesMax) for (let at = 0; at < length; at++) copy[at] = source[start + at] as number;
    else copy.set(new Uint8Array(source.buffer, source.byteOffset + start, length));
    return copy;
  };
  return {
    keyEncoder: {
      writeKey(key, target, start) {
        target.set(key, start);
        return start + key.length;
      },
      readKey: (source, start, end) => copyOf(source, start, end - start),
    },
    encoder: { encode: (value) => value, decode: (source) => copyOf(source, 0, source.length) },
  };
}
