import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { replaceFile } from "./replace-file.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "replace-file-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test("a file is replaced whole, and is this user's alone", async () => {
  const path = join(directory, "kept");
  await replaceFile(path, "a long text", { unique: "1" });
  await Promise.all(["one", "two"].map((text) => replaceFile(path, text, { unique: text })));
  expect(["one", "two"]).toContain(await readFile(path, "utf8"));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(["kept"]);
});

test("what cannot be replaced stays as it was, and nothing is left beside it", async () => {
  const taken = join(directory, "taken");
  await mkdir(join(taken, "by a directory"), { recursive: true });
  await expect(replaceFile(taken, "text", { unique: "1" })).rejects.toThrow();
  await expect(replaceFile(join(directory, "nowhere", "file"), "text", { unique: "1" })).rejects.toThrow("ENOENT");
  expect((await readdir(directory)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  expect(await readdir(taken)).toEqual(["by a directory"]);
});
