import { open } from "node:fs/promises";
import { tryLock } from "fs-native-extensions";

/**
 * Whether another process holds a lock on a file of its log, as a running etcd does on those that it may still need.
 *
 * @throws the error of the operating system if the file cannot be written, so that nobody could adopt it either
 */
export async function isLockedFile(path: string): Promise<boolean> {
  const file = await open(path, "r+");
  try {
    return !tryLock(file.fd);
  } finally {
    await file.close();
  }
}
