import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KeptSet, readKeptSet, writeKeptSet } from "./last-known-good.ts";

const set: KeptSet = {
  ...{ of: "conclave services/orders/", revision: 7, savedAtMs: 1 },
  instances: [{ key: "services/orders/a", instance: { service: "orders", id: "a" } }],
};

describe("the file of a live set", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "conclave-kept-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  test("is read as it was written, and is all there is", async () => {
    const path = join(directory, "whole");
    await writeKeptSet(path, { ...set, revision: 6 }, "a");
    await writeKeptSet(path, set, "a");
    expect(await readKeptSet(path, set.of)).toMatchObject(set);
    expect((await readdir(directory)).filter((name) => name.startsWith("whole"))).toEqual(["whole"]);
  });

  test("is nothing where it does not exist", async () => {
    expect(await readKeptSet(join(directory, "absent"), set.of)).toBeUndefined();
  });

  test.each([
    ["is cut", JSON.stringify({ format: 1, ...set }).slice(0, -9)],
    ["is of another format", JSON.stringify({ format: 2, ...set })],
    ["is of other services", JSON.stringify({ format: 1, ...set, of: "conclave services/users/" })],
    ["is empty", ""],
  ])("is refused when it %s", async (what, text) => {
    const path = join(directory, what);
    await writeFile(path, text);
    await expect(readKeptSet(path, set.of)).rejects.toMatchObject({ code: "DATA_LOSS" });
  });

  test("stays as it was when it cannot be replaced", async () => {
    await expect(writeKeptSet(join(directory, "nowhere", "file"), set, "a")).rejects.toMatchObject({
      code: "DATA_LOSS",
    });
    const path = join(directory, "kept");
    await writeKeptSet(path, set, "a");
    const before = await readFile(path, "utf8");
    await expect(writeKeptSet(path, { ...set, revision: 8 }, "no/such/directory")).rejects.toThrow();
    expect(await readFile(path, "utf8")).toBe(before);
  });
});
