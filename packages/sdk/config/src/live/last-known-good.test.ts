import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utf8 } from "@conclave/base";
import { createClient } from "@conclave/client";
import { freePorts } from "@conclave/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeRecord } from "../document/record.ts";
import { anyJson, createConfig } from "../index.ts";
import { loadSnapshot, saveSnapshot } from "./last-known-good.ts";
import type { Snapshot } from "./snapshot.ts";

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "conclave-last-known-good-"));
  path = join(directory, "file.json");
});
afterEach(() => rm(directory, { recursive: true }));

const snapshotOf = (revision: number, gray?: Uint8Array): Snapshot => ({
  revision,
  documents: [
    {
      key: "config/a",
      base: { revision, bytes: utf8(`"published ${revision}"`) },
      gray: gray && { revision: revision + 1, bytes: gray },
    },
  ],
});

describe("the file with what was last in force", () => {
  test("gives back what was saved, is for its user only, and is whole whoever else saves", async () => {
    await Promise.all([1, 2, 3, 4, 5].map((revision) => saveSnapshot(path, snapshotOf(revision))));
    const { revision } = await loadSnapshot(path, ["config/a"]);
    expect([1, 2, 3, 4, 5]).toContain(revision);
    await saveSnapshot(path, snapshotOf(7, new Uint8Array([0, 255])));
    const [document] = (await loadSnapshot(path, ["config/a"])).documents;
    expect(Buffer.from(document?.gray?.bytes ?? [])).toEqual(Buffer.from([0, 255]));
    expect(document?.base).toMatchObject({ revision: 7 });
    expect(await readdir(directory)).toEqual(["file.json"]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("is refused if it is of other documents, or no such file", async () => {
    await saveSnapshot(path, snapshotOf(1));
    await expect(loadSnapshot(path, ["config/a", "config/b"])).rejects.toThrow('does not hold "config/b"');
    await expect(loadSnapshot(join(directory, "none"), [])).rejects.toThrow("ENOENT");
    for (const text of ["", "{}", '{"format":2,"revision":1,"documents":[]}']) {
      await writeFile(path, text);
      await expect(loadSnapshot(path, ["config/a"])).rejects.toThrow();
    }
  });

  test("leaves no temporary file behind when it cannot be written", async () => {
    const place = join(directory, "directory");
    await saveSnapshot(join(directory, "other"), snapshotOf(1));
    await rm(path, { force: true });
    await expect(saveSnapshot(join(place, "missing", "file"), snapshotOf(1))).rejects.toThrow("ENOENT");
    expect(await readdir(directory)).toEqual(["other"]);
  });

  test("holds a gray value that ends on time, though the store is never reached", { timeout: 60_000 }, async () => {
    const atMs = Date.now();
    const notes = { release: "r", atMs, endsAtMs: atMs + 3_000, percent: 100, labels: {}, salt: "config/a" };
    await saveSnapshot(path, snapshotOf(1, encodeRecord(notes, utf8('"gray"'))));
    const [port] = await freePorts(1);
    await using client = createClient({ endpoints: [`127.0.0.1:${port}`] });
    const config = createConfig(client, "config/a", { schema: anyJson });
    await using live = await config.live({ instance: { id: "one" }, lastKnownGood: { path, waitMs: 50 } });
    expect(live.status).toBe("coldStart");
    for await (const { value, gray } of live) {
      if (gray) continue;
      expect(value).toBe("published 1");
      break;
    }
    expect(Date.now()).toBeGreaterThanOrEqual(atMs + 3_000);
  });
});
