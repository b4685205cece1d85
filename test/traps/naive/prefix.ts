/** @module Ranges as they are often made: the last byte plus one, and no thought of where a name ends. */

/** "Everything under a name". */
export function naivePrefix(name: string | Uint8Array): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } {
  const key = typeof name === "string" ? new TextEncoder().encode(name) : name;
  const rangeEnd = Uint8Array.from(key);
  rangeEnd[rangeEnd.length - 1] = (rangeEnd.at(-1) ?? 0) + 1;
  return { key, rangeEnd };
}
