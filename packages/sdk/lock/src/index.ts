export type { AcquireOptions, HeldLock, Lock, LockContender, LockOptions, LockState } from "./lock.ts";
export { createLock } from "./lock.ts";
