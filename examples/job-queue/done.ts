/** @module Results that are written once, though a job may be done twice. */
import { type ClientView, compare, directory, op } from "@conclave/client";

/** Writes a job's result unless there is one. @returns whether this call wrote it */
export async function writeResult(client: ClientView, jobId: string, result: string): Promise<boolean> {
  const key = `results/${jobId}`;
  const { succeeded } = await client
    .txn()
    .if(compare.createRevision(key).equal(0))
    .then(op.put(key, result))
    .commit({ idempotent: true });
  return succeeded;
}

/** The results that there are. */
export async function results(client: ClientView): Promise<readonly string[]> {
  const { kvs } = await client.range(directory("results"));
  return kvs.map(({ valueString }) => valueString);
}
