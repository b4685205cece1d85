import { describe, expect, it } from "vitest";
import { metaPage } from "./meta-page.ts";
import { SnapshotError } from "./snapshot-error.ts";
import { contentOf, databaseOf, numbered } from "./testing/content.ts";
import { bucketAt, type HandMade, handMade } from "./testing/hand-made.ts";
import { MemoryFile } from "./testing/memory-file.ts";

/** A bucket of two leaves, under the root in page 2. */
const sound: HandMade = {
  root: 2,
  pages: [
    { leaf: [["key", bucketAt(3)]], isRoot: true },
    {
      branch: [
        ["a", 4],
        ["m", 5],
      ],
    },
    {
      leaf: [
        ["a", "1"],
        ["b", "2"],
      ],
    },
    { leaf: [["m", "3"]] },
  ],
};
const soundEntries = [
  ["key", "a", "1"],
  ["key", "b", "2"],
  ["key", "m", "3"],
];

/** The sound database with some pages, numbered as in the file, replaced. */
function soundWith(pages: Readonly<Record<number, HandMade["pages"][number]>>): HandMade {
  return { ...sound, pages: sound.pages.map((page, index) => pages[index + 2] ?? page) };
}

describe("readDatabase()", () => {
  it.each([1024, 4096, 16_384, 65_536, 2 ** 24])("reads pages of %i bytes", async (pageBytes) => {
    expect(await contentOf(handMade({ ...sound, pageBytes }))).toEqual(soundEntries);
  });

  it("reads a file with a list of free pages, and passes them over", async () => {
    const pages = [...sound.pages, { free: [7] }, { leaf: [["free", ""]] as const }];
    expect(await contentOf(handMade({ ...sound, pages, freelist: 6 }))).toEqual(soundEntries);
    const long = [...sound.pages, { free: [1, 7], count: 0xffff }, { leaf: [] }];
    expect(await contentOf(handMade({ ...sound, pages: long, freelist: 6 }))).toEqual(soundEntries);
  });

  it("takes a branch key that is below its child's first, as one is after a deletion", async () => {
    expect(
      await contentOf(
        handMade(
          soundWith({
            3: {
              branch: [
                ["", 4],
                ["c", 5],
              ],
            },
          }),
        ),
      ),
    ).toEqual(soundEntries);
  });

  it("passes over buckets that etcd does not have", async () => {
    const buckets = {
      leaf: [
        ["key", bucketAt(3)],
        ["test", new Uint8Array(32)],
      ] as const,
      isRoot: true,
    };
    expect(await contentOf(handMade(soundWith({ 2: buckets })))).toEqual(soundEntries);
  });

  it.each([0, 1] as const)("goes by the newer one of the two pages at the start, be it page %i", async (newer) => {
    const file = handMade({ ...sound, pages: [...sound.pages, { leaf: [], isRoot: true }] });
    const meta = (id: 0 | 1) =>
      metaPage(id, { root: id === newer ? 2 : 6, highWater: 7, transaction: id === newer ? 9n : 8n });
    file.bytes.set(meta(0), 0);
    file.bytes.set(meta(1), 4096);
    expect(await contentOf(file)).toEqual(soundEntries);
  });

  it.each([16, 20, 30, 72])("goes by the one of them that is whole if byte %i of the other is not", async (at) => {
    const { bytes } = await databaseOf({ key: numbered(10, 10) });
    for (const page of [0, 4096]) {
      const file = new MemoryFile(bytes);
      file.bytes[page + at] = (file.bytes[page + at] ?? 0) ^ 1;
      expect(await contentOf(file)).toHaveLength(10);
    }
  });

  it("reads a file that goes on behind the database: unused space, a checksum", async () => {
    const { bytes } = await databaseOf({ key: numbered(10, 10) });
    expect(await contentOf(new MemoryFile(Buffer.concat([bytes, Buffer.alloc(32, 0xff)])))).toHaveLength(10);
  });

  it.each<[string, HandMade, RegExp]>([
    ["a root outside the file", { ...sound, root: 6 }, /page 6 is damaged: pages have numbers from 2 to 5/],
    ["a root among the meta pages", { ...sound, root: 1 }, /page 1 is damaged/],
    [
      "a tree that leads back to itself",
      soundWith({
        3: {
          branch: [
            ["a", 4],
            ["m", 3],
          ],
        },
      }),
      /page 3 is damaged: it is in use twice/,
    ],
    [
      "two ways to a page",
      soundWith({
        3: {
          branch: [
            ["a", 4],
            ["m", 4],
          ],
        },
      }),
      /page 4 is damaged: it is in use twice/,
    ],
    ["a page in use and free", { ...sound, pages: [...sound.pages, { free: [4] }], freelist: 6 }, /page 4 .* twice/],
    ["a free page outside the file", { ...sound, pages: [...sound.pages, { free: [9] }], freelist: 6 }, /lists page 9/],
    [
      "a list longer than its page",
      { ...sound, pages: [...sound.pages, { free: [], count: 512 }], freelist: 6 },
      /512 numbers/,
    ],
    ["a leaf as a list of free pages", { ...sound, freelist: 5 }, /leaf page in place of a list/],
    ["a list of free pages as a leaf", soundWith({ 5: { free: [] } }), /page 5 is damaged: it is no part of a tree/],
    [
      "a page that says it is another",
      { ...sound, header: { 4: { id: 5 } } },
      /page 4 is damaged: it says that it is page 5/,
    ],
    ["flags of no kind of page", { ...sound, header: { 4: { flags: 6 } } }, /page 4 is damaged: its flags are 6/],
    ["pages behind the end", { ...sound, header: { 5: { overflow: 1 } } }, /page 5 is damaged: it goes on for 2 pages/],
    ["more pages than there can be", { ...sound, header: { 5: { overflow: 0xffff_ffff } } }, /page 5 is damaged/],
    [
      "a node over another's page",
      { ...sound, header: { 4: { overflow: 1 } } },
      /page 5 is damaged: it is in use twice/,
    ],
    [
      "a count too large for the page",
      { ...sound, header: { 4: { count: 256 } } },
      /page 4 is damaged: it cannot hold 256/,
    ],
    [
      "a branch without children",
      soundWith({ 3: { branch: [] } }),
      /page 3 is damaged: it is a branch without children/,
    ],
    [
      "keys out of order",
      soundWith({
        4: {
          leaf: [
            ["b", ""],
            ["a", ""],
          ],
        },
      }),
      /page 4 is damaged: the key "a" is out of order/,
    ],
    [
      "a key twice",
      soundWith({
        4: {
          leaf: [
            ["b", ""],
            ["b", ""],
          ],
        },
      }),
      /the key "b" is out of order/,
    ],
    [
      "a key below its branch's",
      soundWith({ 5: { leaf: [["l", ""]] } }),
      /page 5 is damaged: the key "l" is out of order/,
    ],
    [
      "a key of the next branch",
      soundWith({ 4: { leaf: [["m", ""]] } }),
      /page 4 is damaged: the key "m" is out of order/,
    ],
    [
      "branch keys out of order",
      soundWith({
        3: {
          branch: [
            ["m", 5],
            ["a", 4],
          ],
        },
      }),
      /page 3 is damaged/,
    ],
    ["a value outside of all buckets", soundWith({ 2: { leaf: [["key", "1"]] } }), /a value outside of all buckets/],
    ["a bucket in a bucket", soundWith({ 4: { leaf: [["a", ""]], isRoot: true } }), /a bucket that holds another/],
    [
      "a bucket that is too short",
      soundWith({ 2: { leaf: [["key", "short"]], isRoot: true } }),
      /a bucket has 5 bytes/,
    ],
    [
      "a cut off bucket inside a leaf",
      soundWith({ 2: { leaf: [["key", new Uint8Array(20)]], isRoot: true } }),
      /cut off/,
    ],
    [
      "a bucket inside a leaf of another kind",
      soundWith({ 2: { leaf: [["key", new Uint8Array(32)]], isRoot: true } }),
      /has the flags 0/,
    ],
  ])("refuses %s", async (_, database, message) => {
    const file = handMade(database);
    const error = await contentOf(file).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(SnapshotError);
    expect(error).toMatchObject({ code: "CORRUPT", message: expect.stringMatching(message) });
  });

  it("refuses a tree that is deeper than any can be", async () => {
    const chain = Array.from({ length: 60 }, (_, index) => ({ branch: [["a", index + 4]] as const }));
    const leaf = { leaf: [["a", ""]] as const };
    const [root] = sound.pages;
    const file = handMade({ root: 2, pages: [root ?? leaf, ...chain, leaf] });
    await expect(contentOf(file)).rejects.toThrow("the tree is too deep");
  });

  it("refuses entries that share their bytes, of which a small file could hold any number", async () => {
    const file = handMade(sound);
    const page = file.bytes.subarray(4 * 4096);
    page.writeUInt32LE(page.readUInt32LE(16 + 4) - 16, 32 + 4);
    await expect(contentOf(file)).rejects.toThrow("page 4 is damaged: an entry cannot have 2 bytes at 48");
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["an empty file", new Uint8Array(0), /page 0 is damaged: the file is too short/],
    ["another file", new Uint8Array(10_000).fill(65), /page 0 is damaged: it has no magic number/],
  ])("refuses %s", async (_, bytes, message) => {
    await expect(contentOf(new MemoryFile(bytes))).rejects.toThrow(message);
  });

  it("says of a file that was cut off how much there is", async () => {
    const { bytes } = await databaseOf({ key: numbered(1_000, 100) });
    const cut = new MemoryFile(bytes.subarray(0, bytes.length - 1));
    await expect(contentOf(cut)).rejects.toThrow(
      `the file ends early: it has ${bytes.length - 1} bytes of ${bytes.length / 4096} pages`,
    );
  });

  it("passes on the error of the file", async () => {
    const file = handMade(sound);
    file.read = async () => {
      throw new Error("EIO");
    };
    await expect(contentOf(file)).rejects.toThrow("EIO");
  });
});
