/** @module What generators of hostile input share. */
import fc, { type Arbitrary } from "fast-check";

/** Some bytes after others. */
export function joined(parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Buffer.concat(parts.map((part) => Uint8Array.from(part)));
}

type Damage = (bytes: Uint8Array) => Uint8Array;

const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

const cutShort: Arbitrary<Damage> = at.map((where) => (bytes) => bytes.subarray(0, Math.floor(where * bytes.length)));
const flipped: Arbitrary<Damage> = fc.tuple(at, fc.integer({ min: 1, max: 255 })).map(([where, mask]) => (bytes) => {
  const copy = Uint8Array.from(bytes);
  const index = Math.floor(where * copy.length);
  copy[index] = (copy[index] ?? 0) ^ mask;
  return copy;
});
const inserted: Arbitrary<Damage> = fc.tuple(at, fc.uint8Array({ maxLength: 20 })).map(([where, more]) => (bytes) => {
  const index = Math.floor(where * bytes.length);
  return joined([bytes.subarray(0, index), more, bytes.subarray(index)]);
});
const repeated: Arbitrary<Damage> = fc.tuple(at, at).map(([from, to]) => (bytes) => {
  const part = bytes.subarray(
    Math.floor(Math.min(from, to) * bytes.length),
    Math.floor(Math.max(from, to) * bytes.length),
  );
  return joined([bytes, part]);
});

/** The same input, and as often damaged: cut short, with a byte changed, with more in between, with a part twice. */
export function damaged(input: Arbitrary<Uint8Array>): Arbitrary<Uint8Array> {
  const damages = fc.array(fc.oneof(cutShort, flipped, flipped, inserted, repeated), { maxLength: 2 });
  return fc.tuple(input, damages).map(([bytes, all]) => all.reduce((so, damage) => damage(so), bytes));
}
