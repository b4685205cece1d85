import { equalBytes } from "@conclave/base";
import type { File, FileSystem, OpenMode } from "@conclave/wal";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

/** A file system to be tested. */
export interface FileSystemSubject {
  /** The adapter. */
  readonly fileSystem: FileSystem;
  /** An empty directory the tests may use, as an absolute path. */
  readonly directory: string;
  /** Removes the directory. */
  readonly dispose?: () => Promise<void>;
}

/**
 * The suite every adapter of the port `FileSystem` of `@conclave/wal` passes.
 *
 * @param name - the adapter's name
 * @param setup - makes a subject for each test
 */
export function fileSystemContract(name: string, setup: () => Promise<FileSystemSubject>): void {
  describe(`${name} as a FileSystem`, () => {
    let subject: FileSystemSubject;
    beforeEach(async () => {
      subject = await setup();
    });
    afterEach(async () => {
      await subject.dispose?.();
    });
    const access: Access = {
      fileSystem: () => subject.fileSystem,
      path: (name) => `${subject.directory}/${name}`,
      open: (name, mode) => subject.fileSystem.open(`${subject.directory}/${name}`, { mode }),
    };
    describeNames(access, () => subject.directory);
    describeFiles(access);
    describeSyncs(access, () => subject.directory);
  });
}

interface Access {
  readonly fileSystem: () => FileSystem;
  readonly path: (name: string) => string;
  readonly open: (name: string, mode: OpenMode) => Promise<File>;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const read = async (file: File): Promise<string> => new TextDecoder().decode(await file.read(0, 1_000));

function describeNames({ fileSystem, path, open }: Access, directory: () => string): void {
  const create = async (name: string, content = ""): Promise<void> => {
    const file = await open(name, "create");
    await file.write(0, text(content));
    await file.close();
  };
  const content = async (name: string): Promise<string> => {
    const file = await open(name, "read");
    const result = await read(file);
    await file.close();
    return result;
  };

  it("lists the names of files and directories", async () => {
    expect(await fileSystem().list(directory())).toEqual([]);
    await create("file");
    await fileSystem().makeDirectory(path("directory"), 0o700);
    expect((await fileSystem().list(directory())).sort()).toEqual(["directory", "file"]);
  });

  it("knows which names are there", async () => {
    await create("file");
    expect(await fileSystem().exists(path("file"))).toBe(true);
    expect(await fileSystem().exists(path("none"))).toBe(false);
    expect(await fileSystem().exists(path("none/at/all"))).toBe(false);
    expect(await fileSystem().exists(directory())).toBe(true);
  });

  it("refuses to list, open, rename or remove what is not there", async () => {
    const absent = { code: "ENOENT" };
    await expect(fileSystem().list(path("none"))).rejects.toMatchObject(absent);
    await expect(open("none", "read")).rejects.toMatchObject(absent);
    await expect(open("none", "write")).rejects.toMatchObject(absent);
    await expect(open("none/file", "create")).rejects.toMatchObject(absent);
    await expect(fileSystem().rename(path("none"), path("other"))).rejects.toMatchObject(absent);
    await expect(fileSystem().remove(path("none"))).rejects.toMatchObject(absent);
    await expect(fileSystem().makeDirectory(path("none/directory"), 0o700)).rejects.toMatchObject(absent);
  });

  it("refuses to make a directory whose name is taken", async () => {
    await create("taken");
    await expect(fileSystem().makeDirectory(path("taken"), 0o700)).rejects.toMatchObject({ code: "EEXIST" });
  });

  it("renames a file over another one", async () => {
    await create("old", "new content");
    await create("target", "old content");
    await fileSystem().rename(path("old"), path("target"));
    expect(await fileSystem().list(directory())).toEqual(["target"]);
    expect(await content("target")).toBe("new content");
  });

  it("renames a directory with what is in it, over an empty one too", async () => {
    await fileSystem().makeDirectory(path("from"), 0o700);
    await create("from/file", "inside");
    await fileSystem().makeDirectory(path("to"), 0o700);
    await fileSystem().rename(path("from"), path("to"));
    expect(await fileSystem().list(directory())).toEqual(["to"]);
    expect(await content("to/file")).toBe("inside");
  });

  it("refuses to rename over a directory that is not empty, and to remove it", async () => {
    await fileSystem().makeDirectory(path("from"), 0o700);
    await fileSystem().makeDirectory(path("full"), 0o700);
    await create("full/file");
    const notEmpty = { code: "ENOTEMPTY" };
    await expect(fileSystem().rename(path("from"), path("full"))).rejects.toMatchObject(notEmpty);
    await expect(fileSystem().remove(path("full"))).rejects.toMatchObject(notEmpty);
  });

  it("removes files and empty directories", async () => {
    await create("file");
    await fileSystem().makeDirectory(path("directory"), 0o700);
    await fileSystem().remove(path("file"));
    await fileSystem().remove(path("directory"));
    expect(await fileSystem().list(directory())).toEqual([]);
  });

  it("empties a file that is created again", async () => {
    await create("file", "content");
    await create("file");
    expect(await content("file")).toBe("");
  });

  it("keeps a renamed file open", async () => {
    const file = await open("before", "create");
    await fileSystem().rename(path("before"), path("after"));
    await file.write(0, text("written later"));
    await file.close();
    expect(await content("after")).toBe("written later");
  });
}

function describeFiles({ open }: Access): void {
  it("reads back what was written, through every handle", async () => {
    const file = await open("file", "create");
    await file.write(0, text("hello world"));
    await file.write(6, text("there"));
    const other = await open("file", "read");
    expect(await read(other)).toBe("hello there");
    expect(await other.size()).toBe(11);
    await file.close();
    await other.close();
  });

  it("keeps the content when a file is opened for writing", async () => {
    await (await open("file", "create")).write(0, text("content"));
    const file = await open("file", "write");
    await file.write(7, text("!"));
    expect(await read(file)).toBe("content!");
    await file.close();
  });

  it("reads fewer bytes at the end and none past it", async () => {
    const file = await open("file", "create");
    await file.write(0, text("abc"));
    expect(await file.read(1, 100)).toEqual(text("bc"));
    expect(await file.read(3, 100)).toHaveLength(0);
    expect(await file.read(1_000, 100)).toHaveLength(0);
    await file.close();
  });

  it("gives bytes that later writes and reads leave alone", async () => {
    const file = await open("file", "create");
    await file.write(0, text("before"));
    const bytes = await file.read(0, 6);
    await file.write(0, text("behind"));
    expect(await read(file)).toBe("behind");
    expect(bytes).toEqual(text("before"));
    await file.close();
  });

  it("reads zeros where nothing was written", async () => {
    const file = await open("file", "create");
    await file.write(10_000, text("end"));
    expect(await file.size()).toBe(10_003);
    expect((await file.read(0, 10_000)).every((byte) => byte === 0)).toBe(true);
    await file.close();
  });

  it("cuts off and extends; what was cut off reads as zeros when extended again", async () => {
    const file = await open("file", "create");
    await file.write(0, text("abcdef"));
    await file.truncate(3);
    expect(await read(file)).toBe("abc");
    await file.truncate(6);
    expect(await read(file)).toBe("abc\0\0\0");
    await file.close();
  });

  it("allocates without changing content and never shortens", async () => {
    const file = await open("file", "create");
    await file.write(0, text("abc"));
    await file.allocate(100_000);
    expect(await file.size()).toBe(100_000);
    await file.allocate(10);
    expect(await file.size()).toBe(100_000);
    expect(await file.read(0, 4)).toEqual(text("abc\0"));
    await file.close();
  });

  it("writes long byte strings whole", async () => {
    const file = await open("file", "create");
    const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => at % 251);
    await file.write(5, bytes);
    expect(equalBytes(await file.read(5, bytes.length), bytes)).toBe(true);
    await file.close();
  });

  it("refuses to write to a file opened for reading, and to use a closed one", async () => {
    const file = await open("file", "create");
    await file.close();
    await expect(file.write(0, text("x"))).rejects.toThrow();
    await expect(file.dataSync()).rejects.toThrow();
    const reader = await open("file", "read");
    await expect(reader.write(0, text("x"))).rejects.toThrow();
    await reader.close();
  });
}

function describeSyncs({ fileSystem, path, open }: Access, directory: () => string): void {
  it("syncs files and directories without changing what is seen", async () => {
    const file = await open("file", "create");
    await file.write(0, text("content"));
    await file.dataSync();
    await file.sync();
    await fileSystem().syncDirectory(directory());
    expect(await read(file)).toBe("content");
    await file.close();
  });

  it("refuses to sync a directory that is not there", async () => {
    await expect(fileSystem().syncDirectory(path("none"))).rejects.toMatchObject({ code: "ENOENT" });
  });
}
