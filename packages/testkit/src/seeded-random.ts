import type { Random } from "@conclave/base";

const twoTo53 = Number.MAX_SAFE_INTEGER + 1;

/**
 * Random numbers that depend on the seed alone: same seed, same numbers. The generator is xoshiro128** of Blackman
 * and Vigna (2018), its state filled by SplitMix32. Not for secrets.
 *
 * @param seed - any integer
 */
export function seededRandom(seed: number): Random {
  const next32 = xoshiro128(splitMix32(seed));
  const fraction = () => (next32() * 0x20_0000 + (next32() >>> 11)) / twoTo53;
  return {
    fraction,
    below(limit) {
      if (!Number.isSafeInteger(limit) || limit < 1)
        throw new RangeError(`Cannot draw below a limit that is no integer ≥ 1: current value is ${limit}`);
      return Math.floor(fraction() * limit);
    },
    bytes(length) {
      return Uint8Array.from({ length }, () => next32() >>> 24);
    },
  };
}

type Draw32 = () => number;

function splitMix32(seed: number): Draw32 {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
}

function xoshiro128(fill: Draw32): Draw32 {
  let [a, b, c, d] = [fill(), fill(), fill(), fill()];
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return result;
  };
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
