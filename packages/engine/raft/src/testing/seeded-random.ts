import type { Random } from "@conclave/base";

/** The same numbers for the same seed (mulberry32). */
export function seededRandom(seed: number): Pick<Random, "below"> {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixing = Math.imul(state ^ (state >>> 15), state | 1);
    mixing ^= mixing + Math.imul(mixing ^ (mixing >>> 7), mixing | 61);
    return (mixing ^ (mixing >>> 14)) >>> 0;
  };
  return { below: (limit) => next() % limit };
}
