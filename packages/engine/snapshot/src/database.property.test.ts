import { type Bucket, binaryString, buckets } from "@conclave/base";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { SnapshotError } from "./snapshot-error.ts";
import { type Content, contentOf, databaseOf, entriesOf, numbered } from "./testing/content.ts";
import { MemoryFile } from "./testing/memory-file.ts";

const key = fc.oneof(
  { arbitrary: fc.uint8Array({ minLength: 1, maxLength: 20 }), weight: 20 },
  { arbitrary: fc.uint8Array({ minLength: 1_000, maxLength: 3_000 }), weight: 1 },
);
const value = fc.oneof(
  { arbitrary: fc.uint8Array({ maxLength: 40 }), weight: 20 },
  { arbitrary: fc.integer({ min: 3_900, max: 9_000 }).map((length) => new Uint8Array(length).fill(length)), weight: 1 },
);
const bucket: fc.Arbitrary<Readonly<Record<string, Uint8Array>>> = fc
  .array(fc.tuple(key.map(binaryString), value), { maxLength: 120 })
  .map((entries) => Object.fromEntries(entries));
const content: fc.Arbitrary<Content> = fc.dictionary(fc.constantFrom<Bucket>(...buckets), bucket);

it("reads what was written, in order", async () => {
  await fc.assert(
    fc.asyncProperty(content, async (written) => {
      const file = await databaseOf(written);
      expect(file.bytes.length % 4096).toBe(0);
      expect(await contentOf(file)).toEqual(entriesOf(written));
    }),
  );
});

/** A few of everything: buckets inside their parent and outside, branches, a node of several pages. */
const varied: Content = {
  key: { ...numbered(400, 100), large: new Uint8Array(9_000).fill(7) },
  auth: { authEnabled: new Uint8Array(1) },
  members: numbered(40, 50),
  meta: { consistent_index: new Uint8Array(8).fill(1) },
};

/** What comes of reading a file: how many entries, or the error. */
async function outcome(file: MemoryFile): Promise<number | SnapshotError> {
  try {
    return (await contentOf(file)).length;
  } catch (error) {
    if (error instanceof SnapshotError) return error;
    throw error;
  }
}

const intact = databaseOf(varied);

it("ends in entries or an error of its own whatever bytes are changed, and never has more entries than there were bytes", async () => {
  const { bytes } = await intact;
  const change = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
      const file = new MemoryFile(bytes);
      for (const [at, byte] of changes) file.bytes[at] = byte;
      const result = await outcome(file);
      if (typeof result === "number") expect(result).toBeLessThan(bytes.length);
    }),
    { numRuns: 1_000 },
  );
});

it("ends likewise whichever byte of the structure is flipped", async () => {
  const { bytes } = await intact;
  for (let page = 0; page < bytes.length; page += 4096) {
    for (let at = page; at < page + 80; at++) {
      for (const mask of [0x01, 0x80]) {
        const file = new MemoryFile(bytes);
        file.bytes[at] = (file.bytes[at] ?? 0) ^ mask;
        await outcome(file);
      }
    }
  }
}, 60_000);

it("refuses a file that was cut anywhere", async () => {
  const { bytes } = await intact;
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), async (length) => {
      expect(await outcome(new MemoryFile(bytes.subarray(0, length)))).toBeInstanceOf(SnapshotError);
    }),
  );
});

it("never fails otherwise on bytes that were no database", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 20_000 }), async (bytes) => {
      expect(await outcome(new MemoryFile(bytes))).toBeInstanceOf(SnapshotError);
    }),
  );
});
