/** @module A full store, as an operator meets it: what is refused, what is not, and the way out. */
import { createClient } from "@conclave/client";
import { expect, test } from "vitest";
import { Conclave, makePlace } from "./conclave.ts";

const mebibyte = 2 ** 20;
const value = "x".repeat(256 * 1024);

test("a full store raises NOSPACE, which a restart keeps; deleting, compacting and defragmenting make room", async () => {
  await using place = await makePlace();
  const flags = [...place.flags, `--quota-backend-bytes=${8 * mebibyte}`];
  await using client = createClient({ endpoints: [place.endpoint] });
  const noSpace = { message: expect.stringContaining("etcdserver: mvcc: database space exceeded") };
  const alarms = async () => (await client.maintenance.alarms()).map(({ type }) => type);
  {
    await using member = await new Conclave(flags).ready();
    const fill = async (): Promise<void> => {
      for (let count = 0; count < 100; count++) await client.put(`key${count % 4}`, value);
    };
    await expect(fill()).rejects.toMatchObject(noSpace);
    expect(await alarms()).toEqual(["NOSPACE"]);
    await member.signal("SIGKILL");
  }
  await using member = await new Conclave(flags).ready();
  expect(await alarms()).toEqual(["NOSPACE"]);
  await expect(client.put("small", "value")).rejects.toMatchObject(noSpace);
  await expect(client.lease.grant({ ttlSec: 60 })).rejects.toMatchObject(noSpace);
  expect((await client.get("key0"))?.valueString).toBe(value);

  await client.delete("key0");
  const { revision } = await client.range("key1");
  await client.compact(revision, { physical: true });
  const full = await client.maintenance.status();
  await client.maintenance.defragment();
  const roomy = await client.maintenance.status();
  expect(Number(roomy.dbSize)).toBeLessThan(Number(full.dbSize) / 2);
  expect(Number(roomy.dbSizeInUse)).toBeLessThanOrEqual(Number(roomy.dbSize));

  await expect(client.put("small", "value")).rejects.toMatchObject(noSpace);
  await client.maintenance.disarmAlarms();
  await client.put("small", "value");
  expect(await alarms()).toEqual([]);
  expect((await member.signal("SIGTERM")).status).toBe(0);
});

test("--auto-compaction-retention keeps the history short by itself", async () => {
  await using place = await makePlace();
  await using _member = await new Conclave([...place.flags, "--auto-compaction-retention=1s"]).ready();
  await using client = createClient({ endpoints: [place.endpoint] });
  const { revision } = await client.put("key", "old");
  const deadline = performance.now() + 30_000;
  const compacted = async (): Promise<boolean> => {
    await client.put("key", "new");
    const read = client.get("key", { revision });
    return await read.then(
      () => false,
      () => true,
    );
  };
  while (!(await compacted())) expect(performance.now()).toBeLessThan(deadline);
  await expect(client.get("key", { revision })).rejects.toMatchObject({ code: "COMPACTED" });
});
