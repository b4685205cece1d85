import { equalBytes } from "@conclave/base";
import { describe, expect, it } from "vitest";
import type { File } from "./file-system.ts";
import { ReadWindow } from "./read-window.ts";

const mebibyte = 1024 * 1024;
const fileBytes = 5 * mebibyte + 123;
const content = Uint8Array.from({ length: fileBytes }, (_, at) => (at * 2_654_435_761) >>> 21);

/** A file that can only be read, and notes what of it was. */
function readOnly(fails: (position: number) => boolean = () => false) {
  const reads: { readonly position: number; readonly length: number }[] = [];
  const file: Pick<File, "size" | "read"> = {
    size: async () => fileBytes,
    read: async (position, length) => {
      reads.push({ position, length });
      if (fails(position)) throw new Error("EIO: the disk is broken");
      return content.slice(position, position + length);
    },
  };
  return { file: file as File, reads };
}

/** Reads all of a file in records of one size, as a reader of records does. */
async function readRecords(window: ReadWindow, recordBytes: number): Promise<void> {
  for (let at = 0; at < fileBytes; at += recordBytes) {
    const length = Math.min(recordBytes, fileBytes - at);
    if (!window.holds(at, length)) await window.load(at, length);
    expectRecord(window, at, length);
  }
}

function expectRecord(window: ReadWindow, position: number, length: number): void {
  const bytes = window.bytes.subarray(window.at(position), window.at(position) + length);
  expect(equalBytes(bytes, content.subarray(position, position + length))).toBe(true);
}

describe("ReadWindow", () => {
  it.each([1_000, 65_536, 70_000, 1_500_000])("gives records of %i bytes as the file has them", async (recordBytes) => {
    await readRecords(await ReadWindow.of(readOnly().file), recordBytes);
  });

  it("reads ahead while its reader is busy", async () => {
    const { file, reads } = readOnly();
    const window = await ReadWindow.of(file);
    await window.load(0, 8);
    expect(reads.map(({ position }) => position)).toEqual([0, mebibyte - 65_536]);
    await window.settled();
  });

  it("reads little twice, whether records fit into what parts have in common or not", async () => {
    for (const recordBytes of [1_000, 65_536, 300_000]) {
      const { file, reads } = readOnly();
      await readRecords(await ReadWindow.of(file), recordBytes);
      const readBytes = reads.reduce((sum, { length }) => sum + length, 0);
      expect(readBytes).toBeLessThan(1.5 * fileBytes);
    }
  });

  it("leaves bytes as they were when it has moved on", async () => {
    const window = await ReadWindow.of(readOnly().file);
    await window.load(0, 8);
    const kept = window.bytes.subarray(0, 100);
    await readRecords(window, 10_000);
    expect(equalBytes(kept, content.subarray(0, 100))).toBe(true);
  });

  it("may be moved anywhere", async () => {
    const window = await ReadWindow.of(readOnly().file);
    for (const at of [0, 3 * mebibyte, 3 * mebibyte + 8, 16, fileBytes - 8]) {
      await window.load(at, 8);
      expectRecord(window, at, 8);
    }
  });

  it("tells of a part that cannot be read when it is wanted, not before", async () => {
    const window = await ReadWindow.of(readOnly((position) => position > 0).file);
    await window.load(0, 8);
    await window.settled();
    await expect(window.load(mebibyte, 8)).rejects.toThrow("the disk is broken");
  });

  it("holds no more than there is at the end of the file", async () => {
    const window = await ReadWindow.of(readOnly().file);
    await window.load(fileBytes - 4, 8);
    expect(window.bytes).toHaveLength(4);
    expect(window.holds(fileBytes - 4, 8)).toBe(false);
  });
});
