const highest = BigInt(Number.MAX_SAFE_INTEGER);

/** A request's 64-bit scalar as a number; beyond ±(2^53 - 1) it becomes that bound. */
export function saturate(value: bigint): number {
  if (value > highest) return Number.MAX_SAFE_INTEGER;
  if (value < -highest) return -Number.MAX_SAFE_INTEGER;
  return Number(value);
}
