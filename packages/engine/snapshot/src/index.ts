export type { DatabaseEntry } from "./database-entry.ts";
export { type DatabaseStatus, databaseHash } from "./database-hash.ts";
export type { DatabaseSource } from "./node-input.ts";
export type { DatabaseSink } from "./page-output.ts";
export { readDatabase } from "./read-database.ts";
export { SnapshotError, type SnapshotErrorCode } from "./snapshot-error.ts";
export { type StoreTreeMember, storeTree } from "./store-tree.ts";
export { type WriteDatabaseOptions, writeDatabase } from "./write-database.ts";
