/** The one function of the library that is used here; it ships no types. */
declare module "fs-native-extensions" {
  /**
   * Takes a lock on an open file without waiting; it belongs to the open file and ends with it.
   *
   * @returns whether the lock was got
   */
  export function tryLock(fd: number): boolean;
}
