/**
 * @module The version of a store's layout, kept in a database of its own beside the buckets. It is raised when a
 * version of Conclave writes what the one before it cannot read; who finds a version above its own leaves the store
 * alone.
 */
import { utf8, utf8Text } from "@conclave/base";
import type { RootDatabase } from "lmdb";

/** The layout that is written here. Stores from before layouts had versions are of the same one. */
export const storeSchemaVersion = 1;

/** Name of the database. */
const database = "conclave";
const versionKey = utf8("schema");
/** Keys and values are bytes. */
const bytes = { encoding: "binary", keyEncoding: "binary" } as const;

/** Databases beside the buckets. */
export const schemaDatabases = 1;

/**
 * Reads the version of a store, and writes it where there is none. To be called in a transaction.
 *
 * @throws Error if it is above {@link storeSchemaVersion}
 */
export function checkSchema(root: RootDatabase): void {
  const versions = root.openDB<Uint8Array, Uint8Array>(database, bytes);
  const stored = versions.get(versionKey);
  if (stored === undefined) {
    versions.putSync(versionKey, utf8(String(storeSchemaVersion)));
    return;
  }
  const text = utf8Text(stored);
  if (!/^\d{1,9}$/.test(text)) throw new Error("the version of its layout cannot be read");
  if (Number(text) > storeSchemaVersion) throw new Error(tooNew(Number(text)));
}

function tooNew(version: number): string {
  return `it was written by a newer version of Conclave: its layout is ${version}, and this version reads up to ${storeSchemaVersion}`;
}
