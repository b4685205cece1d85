import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { type Backend, type Bucket, utf8, utf8Text } from "@conclave/base";
import { type BackendUnderTest, describeBackend, seededRandom } from "@conclave/testkit";
import { type Database, open, type RootDatabase } from "lmdb";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LmdbBackendOptions, openLmdbBackend } from "./lmdb-backend.ts";

const run = promisify(execFile);

/** A temporary directory and the stores opened in it. */
class StoreDirectory implements BackendUnderTest {
  readonly path: string;
  readonly #opened = new Set<Backend>();

  static async create(): Promise<StoreDirectory> {
    return new StoreDirectory(await mkdtemp(join(tmpdir(), "conclave-store-")));
  }

  private constructor(path: string) {
    this.path = path;
  }

  async open(options: Partial<LmdbBackendOptions> = {}): Promise<Backend> {
    const backend = await openLmdbBackend({ path: this.path, ...options });
    this.#opened.add(backend);
    return backend;
  }

  /** Closing saves nothing that was not committed, which is what a crash of the process costs. */
  crash(backend: Backend): Promise<void> {
    return backend.close();
  }

  async dispose(): Promise<void> {
    for (const backend of this.#opened) await backend.close();
    await rm(this.path, { recursive: true, force: true });
  }
}

describeBackend("LMDB", () => StoreDirectory.create());

describe("openLmdbBackend()", () => {
  let directory: StoreDirectory;
  beforeEach(async () => {
    directory = await StoreDirectory.create();
  });
  afterEach(() => directory.dispose());

  const dataFile = () => join(directory.path, "data.mdb");
  const refusal = (reason: RegExp) => expect.objectContaining({ code: "OPEN", message: expect.stringMatching(reason) });

  async function fill(): Promise<void> {
    const backend = await directory.open();
    for (let n = 0; n < 1_000; n++) backend.put("key", utf8(`key ${n}`), new Uint8Array(300));
    await backend.commit();
    await backend.close();
  }

  it("creates the directory", async () => {
    const path = join(directory.path, "a", "b");
    const backend = await directory.open({ path });
    backend.put("key", utf8("a"), utf8("1"));
    await backend.commit();
    expect((await readdir(path)).sort()).toEqual(["data.mdb", "lock.mdb"]);
  });

  it("refuses a path that leads through a file", async () => {
    await writeFile(join(directory.path, "file"), "");
    await expect(directory.open({ path: join(directory.path, "file", "store") })).rejects.toThrow(refusal(/ENOTDIR/));
    await expect(directory.open({ path: join(directory.path, "file") })).rejects.toThrow(refusal(/EEXIST/));
  });

  it.each(["this is no store", "this is no store ".repeat(1_000)])(
    "refuses another file and leaves it alone",
    async (text) => {
      await writeFile(dataFile(), text);
      await expect(directory.open()).rejects.toThrow(refusal(/data\.mdb: the file is damaged or no store/));
      expect(await readFile(dataFile(), "utf8")).toBe(text);
    },
  );

  it.each([8_192, 100_000])("refuses a file that was cut to %i bytes", async (bytes) => {
    await fill();
    await truncate(dataFile(), bytes);
    await expect(directory.open()).rejects.toThrow(
      refusal(new RegExp(`the file is damaged: it has ${bytes} bytes of`)),
    );
  });

  it("refuses a file one of whose meta pages is damaged", async () => {
    await fill();
    const bytes = await readFile(dataFile());
    bytes.fill(0, 4_096, 4_200);
    await writeFile(dataFile(), bytes);
    await expect(directory.open()).rejects.toThrow(refusal(/there is no meta page at 4096/));
  });

  describe("of another version", () => {
    const withRoot = async (path: string, change: (versions: Database, root: RootDatabase) => void): Promise<void> => {
      const root = open({ path, noSubdir: false, maxDbs: 20 });
      change(root.openDB("conclave", { encoding: "binary", keyEncoding: "binary" }), root);
      await root.close();
    };
    const store = async (directory: StoreDirectory): Promise<void> => {
      const backend = await directory.open();
      backend.put("key", utf8("a"), utf8("1"));
      await backend.commit();
      await backend.close();
    };
    const schema = utf8("schema");

    it("reads a store from before layouts had versions, and marks it", async () => {
      await store(directory);
      await withRoot(directory.path, (versions) => void versions.dropSync());
      const backend = await directory.open();
      expect(backend.get("key", utf8("a"))).toEqual(utf8("1"));
      await backend.close();
      await withRoot(directory.path, (versions) => expect(utf8Text(versions.get(schema))).toBe("1"));
    });

    it("keeps the mark when it defragments", async () => {
      await store(directory);
      const backend = await directory.open();
      await backend.defragment();
      await backend.close();
      await withRoot(directory.path, (versions) => expect(utf8Text(versions.get(schema))).toBe("1"));
    });

    it("refuses a layout that is newer, and leaves it alone", async () => {
      await store(directory);
      await withRoot(directory.path, (versions) => void versions.putSync(schema, utf8("2")));
      await expect(directory.open()).rejects.toMatchObject({
        code: "OPEN",
        message: `Cannot open the store in ${directory.path}: it was written by a newer version of Conclave: its layout is 2, and this version reads up to 1`,
      });
      await withRoot(directory.path, (versions) => void versions.putSync(schema, utf8("1")));
      expect((await directory.open()).get("key", utf8("a"))).toEqual(utf8("1"));
    });

    it("refuses a mark that is none", async () => {
      await store(directory);
      await withRoot(directory.path, (versions) => void versions.putSync(schema, utf8("one")));
      await expect(directory.open()).rejects.toMatchObject({ code: "OPEN" });
    });
  });

  it("removes what an interrupted defragmentation left", async () => {
    await fill();
    await mkdir(join(directory.path, "defragment"));
    await writeFile(join(directory.path, "defragment", "data.mdb"), "half a copy");
    const backend = await directory.open();
    expect((await readdir(directory.path)).sort()).toEqual(["data.mdb", "lock.mdb"]);
    expect([...backend.scan("key")]).toHaveLength(1_000);
  });

  it("leaves a store that can be written on when it defragments large and deleted values", async () => {
    // LMDB's own compacting copy writes a list of free pages that a later write stumbles over, ending the process.
    const backend = await directory.open();
    const random = seededRandom(4);
    for (let round = 0; round < 12; round++) {
      for (let count = 0; count < 10; count++) {
        const key = utf8(`key-${random.below(40)}`);
        if (random.below(3) === 0) backend.delete("key", key);
        else backend.put("key", key, new Uint8Array(random.below(10) === 0 ? 600_000 : random.below(2_000)));
      }
      await backend.commit();
      if (round % 3 === 2) await backend.defragment();
    }
    const before = [...backend.scan("key")].map(([key, value]) => `${utf8Text(key)} ${value.length}`);
    await backend.close();
    const reopened = await directory.open();
    expect([...reopened.scan("key")].map(([key, value]) => `${utf8Text(key)} ${value.length}`)).toEqual(before);
  });

  it("gives space back to the file system when it defragments", async () => {
    const backend = await directory.open();
    for (let n = 0; n < 2_000; n++) backend.put("key", utf8(`key ${n}`), new Uint8Array(1_000));
    await backend.commit();
    for (let n = 0; n < 1_990; n++) backend.delete("key", utf8(`key ${n}`));
    await backend.commit();
    await backend.defragment();
    expect((await readFile(dataFile())).length).toBeLessThan(200_000);
    expect([...backend.scan("key")]).toHaveLength(10);
    expect(await readdir(directory.path)).not.toContain("defragment");
  });

  it("defragments once the views are closed, of which commits in between do not have to wait", async () => {
    const backend = await directory.open();
    for (let n = 0; n < 2_000; n++) backend.put("key", utf8(`key ${n}`), new Uint8Array(1_000));
    await backend.commit();
    const view = backend.openView();
    for (let n = 10; n < 2_000; n++) backend.delete("key", utf8(`key ${n}`));
    const defragmented = backend.defragment();
    await backend.commit();
    backend.put("key", utf8("another"), utf8("1"));
    await backend.commit();
    expect([...view.scan("key")]).toHaveLength(2_000);
    view.close();
    await defragmented;
    expect([...backend.scan("key")]).toHaveLength(11);
    expect((await readFile(dataFile())).length).toBeLessThan(200_000);
  });

  it("does not wait for views any more to defragment when it is closed", async () => {
    const backend = await directory.open();
    backend.openView();
    const refused = expect(backend.defragment()).rejects.toThrow(expect.objectContaining({ code: "CLOSED" }));
    await backend.commit();
    await backend.close();
    await refused;
  });

  it("takes a hundred thousand entries in pieces between which the event loop turns", async () => {
    const backend = await directory.open();
    let turns = 0;
    let isDone = false;
    const counting = (async () => {
      for (; !isDone; turns++) await setImmediate();
    })();
    async function* entries(): AsyncGenerator<[Bucket, Uint8Array, Uint8Array]> {
      for (let number = 0; number < 100_000; number++) yield ["key", utf8(String(number)), utf8("value")];
    }
    await backend.replace(entries());
    isDone = true;
    await counting;
    expect(turns).toBeGreaterThan(20);
    expect([...backend.scan("key")]).toHaveLength(100_000);
  }, 60_000);

  it.each([0, 1_901])("refuses to be filled with a key of %i bytes", async (length) => {
    const backend = await directory.open();
    async function* entries(): AsyncGenerator<[Bucket, Uint8Array, Uint8Array]> {
      yield ["authUsers", new Uint8Array(length), utf8("")];
    }
    await expect(backend.replace(entries())).rejects.toThrow(`Cannot store a key of ${length} bytes in "authUsers"`);
  });

  it("fills pages to the brim when keys ascend", async () => {
    const backend = await directory.open();
    for (let batch = 0; batch < 10; batch++) {
      for (let n = 0; n < 1_000; n++)
        backend.put("key", utf8(`${batch}/${String(n).padStart(4, "0")}`), new Uint8Array(300));
      await backend.commit();
    }
    expect(backend.size().inUseBytes).toBeLessThan(10_000 * 300 * 1.2);
  });

  /** Runs a script of `testing` on the directory with files of at most 1 MiB: the disk is full. */
  async function runOnFullDisk(name: string): Promise<unknown> {
    const script = new URL(`./testing/${name}`, import.meta.url).pathname;
    const node = [process.execPath, "--import", "tsx", "--conditions=@conclave/source", script, directory.path];
    // Files may have 2 048 blocks of 512 bytes; ignoring the signal leaves the error.
    const limited = `trap "" XFSZ; ulimit -f 2048; exec ${node.map((word) => `'${word}'`).join(" ")}`;
    const { stdout, stderr } = await run("sh", ["-c", limited]);
    expect(stderr).toBe("");
    return JSON.parse(stdout);
  }

  it("fails all commits once the disk has refused one, and keeps what was durable before", async () => {
    expect(await runOnFullDisk("refused-commit.ts")).toEqual({
      first: "done",
      large: "DISK",
      small: "DISK",
      defragmented: "DISK",
      seen: [1, 4_000_000, 1], // Readers see what was written, durable or not.
    });
    const backend = await directory.open();
    expect([...backend.scan("key")].map(([key]) => utf8Text(key))).toEqual(["first"]);
  }, 30_000);

  it("has no applied index after a replacement that the disk has refused, and fails all commits", async () => {
    expect(await runOnFullDisk("refused-replacement.ts")).toEqual({ first: "done", replaced: "DISK", small: "DISK" });
    const backend = await directory.open();
    expect(backend.get("meta", utf8("consistent_index"))).toBeUndefined();
    expect(backend.get("key", utf8("first"))).toBeUndefined();
  }, 30_000);

  it("grows beyond the address space that was reserved for it", async () => {
    const backend = await directory.open({ mapSizeBytes: 2 ** 20 });
    backend.put("key", utf8("large"), new Uint8Array(2 ** 22).fill(7));
    await backend.commit();
    expect(backend.get("key", utf8("large"))?.every((byte) => byte === 7)).toBe(true);
  });

  it("refuses a key that is too long for LMDB", async () => {
    const backend = await directory.open();
    expect(() => backend.put("key", new Uint8Array(1_901), utf8(""))).toThrow("at most 1900 bytes");
  });

  it("refuses everything once it is closed", async () => {
    const backend = await directory.open();
    await backend.close();
    await backend.close();
    const closed = expect.objectContaining({ code: "CLOSED" });
    expect(() => backend.get("key", utf8("a"))).toThrow(closed);
    expect(() => backend.scan("key")).toThrow(closed);
    expect(() => backend.put("key", utf8("a"), utf8("1"))).toThrow(closed);
    expect(() => backend.delete("key", utf8("a"))).toThrow(closed);
    expect(() => backend.commit()).toThrow(closed);
    expect(() => backend.size()).toThrow(closed);
    expect(() => backend.openView()).toThrow(closed);
    await expect(backend.replace((async function* () {})())).rejects.toThrow(closed);
    await expect(backend.defragment()).rejects.toThrow(closed);
  });

  it("serves many stores in one process", async () => {
    const paths = ["a", "b", "c"].map((name) => join(directory.path, name));
    const stores = await Promise.all(paths.map((path) => directory.open({ path })));
    for (const [n, store] of stores.entries()) store.put("key", utf8("name"), utf8(String(n)));
    await Promise.all(stores.map((store) => store.commit()));
    const names = stores.map((store) => utf8Text(store.get("key", utf8("name")) ?? utf8("?")));
    expect(names).toEqual(["0", "1", "2"]);
  });
});
