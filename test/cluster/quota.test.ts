/** @module A full store of one member is everybody's: who may still do what, on each member, and the way out. */
import { op, prefix } from "@conclave/client";
import { startCluster } from "@conclave/testkit";
import { expect, test } from "vitest";
import { clientOf, eventually, program } from "./subject.ts";

const mebibyte = 2 ** 20;
const value = "x".repeat(256 * 1024);
const noSpace = { message: expect.stringContaining("etcdserver: mvcc: database space exceeded") };

test("at the quota every member refuses writes, serves reads and deletes, and writes again once disarmed", async () => {
  const flags = [...(program.flags ?? []), `--quota-backend-bytes=${16 * mebibyte}`];
  await using cluster = await startCluster({ ...program, flags });
  await using client = clientOf(...cluster.members);
  const fill = async (): Promise<void> => {
    for (let count = 0; count < 200; count++) await client.put(`key/${count % 8}`, value, { idempotent: true });
  };
  await expect(fill()).rejects.toMatchObject(noSpace);

  const raised = await client.maintenance.alarms();
  expect(new Set(raised.map(({ type }) => type))).toEqual(new Set(["NOSPACE"]));
  for (const [at, member] of cluster.members.entries()) {
    await using own = clientOf(member);
    // The others may have come to their own quota since, and have said so too.
    const alarms = (await own.maintenance.alarms()).map(({ type }) => type);
    expect(new Set(alarms), member.name).toEqual(new Set(["NOSPACE"]));
    await expect(own.put("small", "value"), member.name).rejects.toMatchObject(noSpace);
    await expect(own.lease.grant({ ttlSec: 60 }), member.name).rejects.toMatchObject(noSpace);
    await expect(own.txn().then(op.put("small", "value")).commit(), member.name).rejects.toMatchObject(noSpace);
    expect((await own.range(prefix("key/"), { keysOnly: true })).count).toBe(8 - at);
    expect((await own.get("key/7", { serializable: true }))?.valueString).toBe(value);
    expect((await own.delete(`key/${at}`)).deleted).toBe(1);
  }

  const { revision } = await client.range("key/7");
  await client.compact(revision, { physical: true });
  for (const { endpoint } of cluster.members) await client.maintenance.defragment({ endpoint });
  await expect(client.put("small", "value")).rejects.toMatchObject(noSpace);
  await client.maintenance.disarmAlarms();
  for (const member of cluster.members) {
    await using own = clientOf(member);
    await eventually(() => own.put(`small/${member.name}`, "value"));
    expect(await own.maintenance.alarms()).toEqual([]);
  }
});
