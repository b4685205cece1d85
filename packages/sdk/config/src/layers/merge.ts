/** @module Putting layers together, as a JSON Merge Patch (RFC 7396) does: what is said above wins over what is below. */

/**
 * A value with another one laid over it. Objects are merged field by field; null takes a field away; anything else,
 * lists too, replaces what is below whole.
 *
 * @param below - the weaker value; undefined: nothing
 * @param above - the stronger one; undefined: it says nothing
 */
export function mergeLayer(below: unknown, above: unknown): unknown {
  if (above === undefined) return below;
  if (!isFields(above)) return above;
  const fields = new Map(isFields(below) ? Object.entries(below) : []);
  for (const [name, value] of Object.entries(above)) {
    // A map's keys, and fields made of its entries, may have any name, `__proto__` too.
    if (value === null) fields.delete(name);
    else if (value !== undefined) fields.set(name, mergeLayer(fields.get(name), value));
  }
  return Object.fromEntries(fields);
}

/** Layers merged, weakest first. */
export function mergeLayers(layers: readonly unknown[]): unknown {
  return layers.reduce(mergeLayer, undefined);
}

/** Whether a value has fields that can be merged. */
export function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
