import { type Backend, buckets, utf8 } from "@conclave/base";
import { createMemoryBackend } from "@conclave/mvcc";
import { simulatedDisk, virtualTime } from "@conclave/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import { SnapshotFiles } from "./snapshot-files.ts";

const directory = "/member/snap";
const noPause = async (): Promise<void> => {};

async function backendWith(entries: number): Promise<Backend> {
  const backend = createMemoryBackend();
  for (let at = 0; at < entries; at++) backend.put("key", utf8(`key ${at}`), utf8(`value ${at}`));
  backend.put("meta", utf8("consistent_index"), new Uint8Array([0, 0, 0, 0, 0, 0, 0, 9]));
  await backend.commit();
  return backend;
}

function contentOf(backend: Backend): unknown {
  return buckets.map((bucket) => [bucket, [...backend.scan(bucket)]]);
}

async function* broken(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    yield chunk;
    throw new Error("the sender was lost");
  }
}

describe("SnapshotFiles", () => {
  const time = virtualTime();
  let disk = simulatedDisk({ random: time.random, scheduler: time, latencyMs: () => 0 });
  let files = new SnapshotFiles(disk, directory);

  beforeEach(async () => {
    disk = simulatedDisk({ random: time.random, scheduler: time, latencyMs: () => 0 });
    await disk.makeDirectory("/member", 0o700);
    await disk.syncDirectory("/");
    files = new SnapshotFiles(disk, directory);
    await files.prepare(0);
    await disk.syncDirectory("/member");
  });

  const names = () => disk.list(directory);
  const sent = async (entries: number) => {
    const view = (await backendWith(entries)).openView();
    const database = await files.export(view, noPause);
    view.close();
    return database;
  };

  test.each([0, 1, 5000])("a state of %i keys comes out of its database as it went in", async (entries) => {
    const database = await sent(entries);
    await files.receive(9, database.read());
    await database.release();
    expect(await names()).toEqual(["0000000000000009.snap.db"]);
    const restored = createMemoryBackend();
    restored.put("key", utf8("of the past"), utf8("to be forgotten"));
    await files.restore(9, restored);
    expect(contentOf(restored)).toEqual(contentOf(await backendWith(entries)));
  });

  test("what was received survives a crash as soon as it has its name", async () => {
    const database = await sent(100);
    await files.receive(9, database.read());
    const after = new SnapshotFiles(disk.crash({ tear: "drop" }), directory);
    expect(await after.has(9)).toBe(true);
    const restored = createMemoryBackend();
    await after.restore(9, restored);
    expect(contentOf(restored)).toEqual(contentOf(await backendWith(100)));
  });

  test("what breaks off on its way leaves nothing behind", async () => {
    const database = await sent(5000);
    await expect(files.receive(9, broken(database.read()))).rejects.toThrow("the sender was lost");
    await database.release();
    expect(await names()).toEqual([]);
    expect(await files.has(9)).toBe(false);
  });

  test("a start removes what was not finished or is not needed any more, and nothing else", async () => {
    for (const index of [5, 9, 10]) {
      const database = await sent(1);
      await files.receive(index, database.read());
      await database.release();
    }
    await sent(1); // A crash comes before it is released.
    await files.prepare(9);
    expect(await names()).toEqual(["000000000000000a.snap.db"]);
    await files.removeUpTo(10);
    expect(await names()).toEqual([]);
  });
});
