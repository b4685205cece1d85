/**
 * @module Carrying a fence to where the store's own guards do not reach: in a header of HTTP or in metadata of gRPC, and to
 * a SQL database. Whoever is written to remembers the highest fence it has seen, and refuses lower ones.
 */
import { ConclaveError } from "@conclave/client";

/** The fence of one who holds a name. */
export interface Fence {
  /** The name of the lock or election. */
  readonly name: string;
  /** Grows with every owner of the name. */
  readonly fence: number;
}

/** The header of HTTP, and the key of gRPC metadata, that carries a fence. */
export const fenceHeader = "conclave-fence";

/**
 * The headers of a request that is made under a lock.
 *
 * @example
 * ```ts
 * await fetch(url, { method: "POST", headers: fenceHeaders(held) });
 * for (const [key, value] of Object.entries(fenceHeaders(held))) metadata.set(key, value); // gRPC
 * ```
 */
export function fenceHeaders({ name, fence }: Fence): Record<string, string> {
  return { [fenceHeader]: `${fence};${encodeURIComponent(name)}` };
}

/** What looks a field up by its name, such as `Headers` of fetch and `Metadata` of gRPC. */
export interface FieldLookup {
  /** The value of a field, or its values; undefined or null if there is none. */
  get(name: string): unknown;
}

/** Where a fence can be read from: `Headers` of fetch, `Metadata` of gRPC, or the `headers` of a request in Node. */
export type FenceCarrier = FieldLookup | Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * The fence that a request carries; undefined if it carries none.
 *
 * @throws ConclaveError `INVALID_ARGUMENT` if it carries something else, or several
 */
export function readFence(carrier: FenceCarrier): Fence | undefined {
  const { get } = carrier;
  const found = typeof get === "function" ? get.call(carrier, fenceHeader) : Reflect.get(carrier, fenceHeader);
  const [text, ...others] = [found ?? []].flat();
  if (text === undefined) return undefined;
  const [, fence, name] = /^(\d{1,15});([^;]+)$/.exec(String(text)) ?? [];
  if (fence === undefined || name === undefined || others.length > 0) throw malformed([text, ...others]);
  try {
    return { name: decodeURIComponent(name), fence: Number(fence) };
  } catch {
    throw malformed([text]); // A percent sign that escapes nothing.
  }
}

function malformed(values: readonly unknown[]): ConclaveError {
  return new ConclaveError("INVALID_ARGUMENT", `Cannot read a fence from ${fenceHeader}: received "${values.join()}"`);
}

/** Lets in those who hold a name, and nobody who held it before one that was seen already. */
export interface FenceGate {
  /** The highest fence seen; 0 before there was any. */
  readonly highest: number;
  /**
   * Lets a fence in, and from then on none that is lower.
   *
   * @throws ConclaveError `OWNERSHIP_LOST` if a higher one was let in before, `INVALID_ARGUMENT` if it is of another name
   */
  admit(fence: Fence): void;
}

/**
 * Makes the gate of one thing that is written to by whoever holds a name. It remembers in this process only: where what it
 * guards outlives the process, give it the fence that was kept there, or keep it in the database ({@link fenceSql}).
 *
 * @param name - the name of the lock or election
 * @param highest - the highest fence that was let in before; default: 0
 */
export function createFenceGate(name: string, highest = 0): FenceGate {
  let seen = highest;
  return {
    get highest() {
      return seen;
    },
    admit(fence) {
      if (fence.name !== name)
        throw new ConclaveError("INVALID_ARGUMENT", `The gate of "${name}" takes no fence of "${fence.name}"`);
      if (fence.fence < seen) {
        const message = `Fence ${fence.fence} of "${name}" is of a former holder: ${seen} was seen`;
        throw new ConclaveError("OWNERSHIP_LOST", message);
      }
      seen = fence.fence;
    },
  };
}

/** Statements that make a SQL database refuse a former holder. */
export interface FenceSql {
  /** Creates the table of the highest fences, if it is not there. */
  readonly createTable: string;
  /** Lets in a fence: its parameters are the name and the fence. It changes one row, or none if a higher one was let in. */
  readonly admit: string;
}

/**
 * The statements for a kind of database. Run `admit` first in the transaction of the write, and roll back if it changes no
 * row: then a later holder has been there. Until the transaction ends it keeps a later holder out.
 *
 * @param dialect - which differ in how parameters are written
 */
export function fenceSql(dialect: "postgresql" | "sqlite"): FenceSql {
  const [name, fence] = dialect === "postgresql" ? ["$1", "$2"] : ["?", "?"];
  return {
    createTable: "CREATE TABLE IF NOT EXISTS conclave_fences (name TEXT PRIMARY KEY, fence BIGINT NOT NULL)",
    admit: [
      `INSERT INTO conclave_fences (name, fence) VALUES (${name}, ${fence})`,
      "ON CONFLICT (name) DO UPDATE SET fence = excluded.fence WHERE conclave_fences.fence <= excluded.fence",
    ].join(" "),
  };
}
