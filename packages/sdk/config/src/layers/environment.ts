/** @module The layer that a process is given with its environment. */

/** Where the values of the environment are, and how they are named. */
export interface EnvironmentLayer {
  /** The variables, such as `process.env`. */
  readonly record: Readonly<Record<string, string | undefined>>;
  /** What the names of this configuration's variables start with, such as `ORDERS_`. At least one character. */
  readonly prefix: string;
}

/**
 * The values in an environment. A name without its prefix is a path: `__` goes into a field, and `_` joins the words of
 * a field's name in camel case. A value that is JSON is that; anything else is text.
 *
 * @returns undefined if no variable is this configuration's
 * @example
 * ```ts
 * readEnvironment({ prefix: "APP_", record: { APP_HTTP__MAX_SIZE: "10", APP_NAME: "orders", HOME: "/" } });
 * // { http: { maxSize: 10 }, name: "orders" }
 * ```
 */
export function readEnvironment({ record, prefix }: EnvironmentLayer): unknown {
  const fields = new Map<string, unknown>();
  // In the order of the names, so that the same variables make the same value.
  for (const name of Object.keys(record).sort()) {
    const text = record[name];
    const path = name.startsWith(prefix) ? name.slice(prefix.length).split("__").map(toFieldName) : [];
    if (text !== undefined && path.length > 0 && !path.includes("")) place(fields, path, parse(text));
  }
  return fields.size === 0 ? undefined : toObject(fields);
}

function toFieldName(words: string): string {
  return words.toLowerCase().replace(/_+(.)/g, (_match, letter: string) => letter.toUpperCase());
}

/** Puts a value at its path. Of a value and fields of the same name the fields win: their names come later. */
function place(fields: Map<string, unknown>, [name = "", ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    fields.set(name, value);
    return;
  }
  const known = fields.get(name);
  const inner = known instanceof Map ? known : new Map<string, unknown>();
  fields.set(name, inner);
  place(inner, rest, value);
}

function toObject(fields: ReadonlyMap<string, unknown>): object {
  return Object.fromEntries([...fields].map(([name, value]) => [name, value instanceof Map ? toObject(value) : value]));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // Most values are text without quotes.
  }
}
