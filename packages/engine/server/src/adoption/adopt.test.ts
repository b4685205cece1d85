import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buckets, hex, utf8, utf8Text } from "@conclave/base";
import { openLmdbBackend } from "@conclave/store-lmdb";
import { type File, type FileSystem, nodeFileSystem } from "@conclave/wal";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readConfState, readConsistentIndex, readTerm } from "../apply/applied-state.ts";
import { silentLog } from "../log.ts";
import { createMembership } from "../membership/membership.ts";
import {
  appliedIndex,
  type EtcdDirectoryOptions,
  etcdMember,
  makeEtcdDirectory,
  putEntry,
} from "../testing/etcd-directory.ts";
import { maybeAdopt } from "./adopt.ts";

/** A file system that fails from the nth change on, as a disk that is full or a process that dies does. */
function failingAfter(fileSystem: FileSystem, changes: number): FileSystem & { readonly hasFailed: boolean } {
  let left = changes;
  const change = (): void => {
    left -= 1;
    if (left < 0)
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC", syscall: "write" });
  };
  const changing =
    <Parameters extends readonly unknown[], Result>(call: (...parameters: Parameters) => Promise<Result>) =>
    async (...parameters: Parameters): Promise<Result> => {
      change();
      return await call(...parameters);
    };
  const wrapFile = (file: File): File => ({
    size: () => file.size(),
    read: (position, length) => file.read(position, length),
    close: () => file.close(),
    write: changing((position: number, bytes: Uint8Array) => file.write(position, bytes)),
    truncate: changing((length: number) => file.truncate(length)),
    allocate: changing((length: number) => file.allocate(length)),
    dataSync: changing(() => file.dataSync()),
    sync: changing(() => file.sync()),
  });
  return {
    get hasFailed() {
      return left < 0;
    },
    list: (directory) => fileSystem.list(directory),
    exists: (path) => fileSystem.exists(path),
    makeDirectory: changing(fileSystem.makeDirectory),
    rename: changing(fileSystem.rename),
    remove: changing(fileSystem.remove),
    syncDirectory: changing(fileSystem.syncDirectory),
    async open(path, options) {
      if (options.mode !== "read") change();
      return wrapFile(await fileSystem.open(path, options));
    },
  };
}

describe("maybeAdopt", () => {
  const disk = nodeFileSystem();
  let root: string;
  let dataDir: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "conclave-adoption-"));
    dataDir = join(root, "data");
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const adopt = (fileSystem: FileSystem = disk, isLocked = false): Promise<void> =>
    maybeAdopt(
      { dataDir, memberDir: `${dataDir}/member`, walDir: `${dataDir}/member/wal`, maxLearners: 1 },
      {
        fileSystem,
        openBackend: (path) => openLmdbBackend({ path }),
        isLocked: async () => isLocked,
        log: silentLog,
      },
    );
  const names = async (): Promise<readonly string[]> => (await readdir(dataDir, { recursive: true })).sort();

  /** Everything that an adoption makes: the content of the store, and which files are where. */
  const result = async (): Promise<unknown> => {
    const backend = await openLmdbBackend({ path: `${dataDir}/member/store` });
    try {
      const rows = buckets.flatMap((bucket) =>
        [...backend.scan(bucket)].map(([key, row]) => [bucket, hex(key), hex(row)]),
      );
      return { rows, names: await names() };
    } finally {
      await backend.close();
    }
  };

  test("makes a store as of the entry up to which the database is applied, with the membership of the log", async () => {
    await makeEtcdDirectory(dataDir);
    await adopt();
    const backend = await openLmdbBackend({ path: `${dataDir}/member/store` });
    const membership = createMembership(backend);
    expect({ applied: readConsistentIndex(backend), term: readTerm(backend) }).toEqual({
      applied: appliedIndex,
      term: 2,
    });
    expect(membership.members()).toEqual([etcdMember]);
    expect(membership.clusterVersion).toBe("3.5.0");
    expect(readConfState(backend).voters).toEqual([etcdMember.id]);
    expect([...backend.scan("key")]).toHaveLength(1);
    await backend.close();
  });

  test("keeps what was there as a directory from which etcd starts", async () => {
    await makeEtcdDirectory(dataDir);
    const before = await names();
    await adopt();
    const kept = (await readdir(join(dataDir, "etcd-backup"), { recursive: true })).sort();
    expect(kept).toEqual(before);
    expect(await readdir(join(dataDir, "member", "snap"))).toEqual([]);
  });

  test("does nothing to a directory that is not etcd's, nor to one that was adopted", async () => {
    await adopt();
    expect(await disk.exists(dataDir)).toBe(false);
    await makeEtcdDirectory(dataDir);
    await adopt();
    const adopted = await result();
    await adopt();
    expect(await result()).toEqual(adopted);
  });

  test("is finished by the next start wherever it was interrupted", async () => {
    await makeEtcdDirectory(join(root, "left"));
    await cp(join(root, "left"), dataDir, { recursive: true });
    await adopt();
    const expected = await result();
    let interruptions = 0;
    for (let changes = 0; ; changes++) {
      await rm(dataDir, { recursive: true });
      await cp(join(root, "left"), dataDir, { recursive: true });
      const failing = failingAfter(disk, changes);
      const refusal = await adopt(failing).catch((error: unknown) => error);
      if (!failing.hasFailed) break;
      expect(refusal).toMatchObject({ code: "ENOSPC" });
      interruptions++;
      await adopt();
      expect(await result(), `interrupted at change ${changes}`).toEqual(expected);
    }
    expect(interruptions).toBeGreaterThan(15);
  }, 60_000);

  test.each<[string, EtcdDirectoryOptions, RegExp]>([
    ["keys of the second API", { hasUserKeys: true }, /second API/],
    [
      "a key of the second API in the log",
      { entries: [v2Put("/1/k")] },
      /entry 3 of the log writes a key of the second API/,
    ],
    [
      "a command it does not know",
      { entries: [Uint8Array.of(0xf2, 0xc0, 0x3e, 0)] },
      /entry 3 of the log holds a command/,
    ],
    ["an entry that cannot be read", { entries: [Uint8Array.of(0x22, 0x7f)] }, /entry 3 of the log cannot be read/],
    ["a database of a later layout", { rows: [["meta", utf8("storageVersion"), utf8("3.9.0")]] }, /version 3\.9\.0/],
    ["a key that is no revision", { rows: [["key", utf8("z"), utf8("")]] }, /a key is no revision/],
    [
      "a value that cannot be read",
      { rows: [["lease", new Uint8Array(8), Uint8Array.of(0x0f)]] },
      /a value cannot be read/,
    ],
  ])("refuses %s with one line and touches nothing", async (_, options, reason) => {
    await makeEtcdDirectory(dataDir, options);
    const before = await names();
    const refusal = await adopt().catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      name: "MemberError",
      code: "DATA_DIR_DAMAGED",
      message: expect.stringMatching(reason),
    });
    expect(String(refusal)).not.toContain("\n");
    expect(await names()).toEqual(before);
  });

  test("refuses a directory that an etcd uses, and a second backup", async () => {
    await makeEtcdDirectory(dataDir);
    await expect(adopt(disk, true)).rejects.toMatchObject({ code: "DATA_DIR_IN_USE" });
    await adopt();
    await cp(join(dataDir, "etcd-backup", "member", "snap", "db"), join(dataDir, "member", "snap", "db"));
    await expect(adopt()).rejects.toMatchObject({ code: "DATA_DIR_MISMATCH" });
  });

  test("applies nothing of what the log says beyond the database", async () => {
    await makeEtcdDirectory(dataDir, { entries: [putEntry("b"), putEntry("c")] });
    await adopt();
    const backend = await openLmdbBackend({ path: `${dataDir}/member/store` });
    expect([...backend.scan("key")].map(([, row]) => utf8Text(row.subarray(2, 3)))).toEqual(["a"]);
    await backend.close();
  });
});

/** A request of the second API, as etcd wrote them into its log. */
function v2Put(path: string): Uint8Array {
  return Uint8Array.of(0x08, 1, 0x12, 3, ...utf8("PUT"), 0x1a, path.length, ...utf8(path), 0x22, 1, ...utf8("v"));
}
