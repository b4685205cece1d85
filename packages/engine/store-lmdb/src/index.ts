export type { LmdbBackendOptions } from "./lmdb-backend.ts";
export { openLmdbBackend } from "./lmdb-backend.ts";
export type { StoreErrorCode } from "./store-error.ts";
export { StoreError } from "./store-error.ts";
