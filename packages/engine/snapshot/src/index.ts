export type { DatabaseEntry } from "./database-entry.ts";
