/** @module A lock as it is often written over the raw calls: whoever puts the key has it, and deletes it in the end. */
import { type ClientView, compare, op } from "@conclave/client";

/** Puts the key if it is not there. @returns whether it did */
export async function tryLock(client: ClientView, key: string, ttlSec: number): Promise<boolean> {
  const { id } = await client.lease.grant({ ttlSec });
  const put = await client
    .txn()
    .if(compare.createRevision(key).equal(0))
    .then(op.put(key, "", { lease: id }))
    .commit();
  return put.succeeded;
}

/** Deletes the key. */
export async function unlock(client: ClientView, key: string): Promise<void> {
  await client.delete(key, { timeoutMs: 2_000 });
}

/** Runs a task while the key is there. */
export async function runLocked(client: ClientView, key: string, task: () => Promise<void>): Promise<void> {
  await tryLock(client, key, 5);
  try {
    await task();
  } finally {
    await unlock(client, key);
  }
}
