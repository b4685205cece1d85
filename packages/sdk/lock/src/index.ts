export type { Acquirable, AcquireOptions } from "./acquirable.ts";
export type { ContenderOptions, LockContender } from "./contender.ts";
export {
  createFenceGate,
  type Fence,
  type FenceCarrier,
  type FenceGate,
  type FenceSql,
  type FieldLookup,
  fenceHeader,
  fenceHeaders,
  fenceSql,
  readFence,
} from "./fence.ts";
export type { HeldLock, HeldLockEvents } from "./held-lock.ts";
export type { ListLocksOptions, Lock, LockListing, LockOptions, LockState, NamedLock } from "./lock.ts";
export { createLock, listLocks } from "./lock.ts";
export { createMultiLock, type HeldLocks, type MultiLock } from "./multi-lock.ts";
export {
  createReadWriteLock,
  type ReadWriteContender,
  type ReadWriteLock,
  type ReadWriteLockState,
} from "./read-write-lock.ts";
export type { ReleaseRequest, RequestReleaseOptions } from "./release-request.ts";
export { createSemaphore, type Semaphore, type SemaphoreOptions, type SemaphoreState } from "./semaphore.ts";
