/** @module A long read lets others work: it is made in slices, between which the member serves whoever else asks. */
import { createClient, op, prefix } from "@conclave/client";
import { startMember } from "@conclave/testkit";
import { expect, test } from "vitest";

const keys = 100_000;
const keysPerTxn = 1_000;

test("puts are answered between two slices of a range of a hundred thousand keys", async () => {
  // Server and client share one event loop, and nothing waits for the disk: who comes first is a matter of turns.
  await using member = await startMember({ config: { unsafeNoFsync: true, maxTxnOps: keysPerTxn } });
  await using client = createClient({ endpoints: [member.endpoint], limits: { txnOps: keysPerTxn } });
  for (let first = 0; first < keys; first += keysPerTxn) {
    const puts = Array.from({ length: keysPerTxn }, (_, at) => op.put(`list/${first + at}`, "v"));
    await client
      .txn()
      .then(...puts)
      .commit();
  }
  let isRead = false;
  const reading = client.range(prefix("list/")).finally(() => {
    isRead = true;
  });
  const putRevisions: number[] = [];
  while (!isRead) putRevisions.push((await client.put("other", "v")).revision);
  const { kvs, revision: readAt } = await reading;
  expect(kvs).toHaveLength(keys);
  // All but the last were answered before the range was; those above its revision came while it was under way.
  expect(putRevisions.slice(0, -1).filter((revision) => revision > readAt).length).toBeGreaterThan(0);
}, 120_000);
