import { expect, it } from "vitest";
import { contentOf, databaseOf, entriesOf, numbered, viewOf } from "./testing/content.ts";
import { MemoryFile } from "./testing/memory-file.ts";
import { writeDatabase } from "./write-database.ts";

it("writes an empty database: two meta pages and a leaf with the ten buckets", async () => {
  const { bytes } = await databaseOf({});
  expect(bytes.length).toBe(3 * 4096);
  expect(bytes.readUInt16LE(2 * 4096 + 8)).toBe(2);
  expect(bytes.readUInt16LE(2 * 4096 + 10)).toBe(10);
  expect(await contentOf(new MemoryFile(bytes))).toEqual([]);
});

it("keeps a small bucket in its parent's leaf, with the bytes that bbolt writes", async () => {
  const { bytes } = await databaseOf({
    auth: { authEnabled: Uint8Array.of(0), authRevision: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 8) },
  });
  const inline = [
    "00000000000000000000000000000000", // No root page, sequence 0.
    "00000000000000000200020000000000", // A leaf of two entries.
    "00000000200000000b00000001000000",
    "000000001c0000000c00000008000000",
    Buffer.from("authEnabled\0authRevision").toString("hex"),
    "0000000000000008",
  ].join("");
  expect(bytes.toString("hex")).toContain(inline);
});

it("makes both meta pages alike but for the transaction, that of page 0 the newer", async () => {
  const { bytes } = await databaseOf({ key: numbered(10, 10) });
  const [first, second] = [bytes.subarray(16, 64), bytes.subarray(4096 + 16, 4096 + 64)];
  expect(first).toEqual(second);
  expect(first.subarray(0, 16).toString("hex")).toBe("edda0ced020000000010000000000000");
  expect(first.subarray(32, 40).toString("hex")).toBe("ffffffffffffffff");
  expect(bytes.readBigUInt64LE(64)).toBe(2n);
  expect(bytes.readBigUInt64LE(4096 + 64)).toBe(1n);
});

it("carries a value of several megabytes", async () => {
  const content = { key: { a: new Uint8Array(5_000_000).fill(1), b: new Uint8Array(3), c: new Uint8Array(4_096) } };
  expect(await contentOf(await databaseOf(content))).toEqual(entriesOf(content));
});

it("makes several levels of branches, each of two children and more", async () => {
  const content = { key: numbered(50_000, 40), lease: numbered(10_000, 5) };
  const file = await databaseOf(content);
  expect(await contentOf(file)).toEqual(entriesOf(content));
  const counts: number[] = [];
  for (let page = 2 * 4096; page < file.bytes.length; page += 4096)
    if (file.bytes.readUInt16LE(page + 8) === 1) counts.push(file.bytes.readUInt16LE(page + 10));
  expect(counts.length).toBeGreaterThan(6);
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(2);
});

it("makes many levels of branches for long keys", async () => {
  const keys = Array.from({ length: 500 }, (_, number) => String(number).padStart(1_200, "0"));
  const content = { authRoles: Object.fromEntries(keys.map((key) => [key, new Uint8Array(3_000)])) };
  expect(await contentOf(await databaseOf(content))).toEqual(entriesOf(content));
});

it("makes branches of several pages for keys that do not fit into one", async () => {
  const long = (name: string) => name.repeat(3_000);
  const keys = ["a", "b", "c", "d", "e", "f", "g", "h"].map(long);
  const content = { authUsers: Object.fromEntries(keys.map((key) => [key, new Uint8Array(1)])) };
  expect(await contentOf(await databaseOf(content))).toEqual(entriesOf(content));
});

it("says how long the file is", async () => {
  const file = new MemoryFile();
  const { sizeBytes } = await writeDatabase({ view: viewOf({ key: numbered(1_000, 100) }), file });
  expect(sizeBytes).toBe(await file.size());
});

it("writes the pages that make it a database last, so that a part of one is none", async () => {
  const positions: number[] = [];
  const file = new MemoryFile();
  const recorded = {
    write(position: number, bytes: Uint8Array) {
      positions.push(position);
      return file.write(position, bytes);
    },
  };
  await writeDatabase({ view: viewOf({ key: numbered(20_000, 100) }), file: recorded });
  expect(positions.slice(-2)).toEqual([0, 4096]);
  const pages = positions.slice(0, -2);
  expect(pages).toEqual([...pages].sort((left, right) => left - right));
  expect(pages.length).toBeGreaterThan(5);
});

it("pauses again and again", async () => {
  let pauses = 0;
  await writeDatabase({
    view: viewOf({ key: numbered(10_000, 10) }),
    file: new MemoryFile(),
    async pause() {
      pauses++;
    },
  });
  expect(pauses).toBe(20);
});

it("passes on the error of the file", async () => {
  const file = {
    async write() {
      throw new Error("ENOSPC");
    },
  };
  await expect(writeDatabase({ view: viewOf({}), file })).rejects.toThrow("ENOSPC");
});

it("keeps little of what it has read in memory, however much there is, and writes one piece after another", async () => {
  const entries = 30_000;
  const value = new Uint8Array(1_000);
  let [readBytes, writtenBytes, heldBytesMax, writesAtOnce] = [0, 0, 0, 0];
  const view = {
    *scan(bucket: string): Generator<readonly [Uint8Array, Uint8Array]> {
      for (let at = 0; bucket === "key" && at < entries; at++) {
        readBytes += value.length;
        heldBytesMax = Math.max(heldBytesMax, readBytes - writtenBytes);
        yield [Buffer.from(String(at).padStart(17, "0")), value];
      }
    },
  };
  const file = {
    async write(_position: number, bytes: Uint8Array): Promise<void> {
      expect(++writesAtOnce).toBe(1);
      await Promise.resolve();
      writtenBytes += bytes.length;
      writesAtOnce--;
    },
  };
  await writeDatabase({ view, file });
  expect(readBytes).toBe(entries * value.length);
  expect(heldBytesMax).toBeLessThan(600_000);
});
