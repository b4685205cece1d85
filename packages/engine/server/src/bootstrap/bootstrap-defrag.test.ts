import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utf8 } from "@conclave/base";
import { openLmdbBackend } from "@conclave/store-lmdb";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../log.ts";
import { openDefragmented } from "./bootstrap-defrag.ts";

describe("openDefragmented()", () => {
  let path: string;
  beforeEach(async () => {
    path = join(await mkdtemp(join(tmpdir(), "bootstrap-defrag-")), "store");
    const backend = await openLmdbBackend({ path });
    for (let n = 0; n < 2_000; n++) backend.put("key", utf8(`key ${n}`), new Uint8Array(2_000));
    await backend.commit();
    for (let n = 0; n < 1_990; n++) backend.delete("key", utf8(`key ${n}`));
    await backend.commit();
    await backend.close();
  });
  afterEach(() => rm(join(path, ".."), { recursive: true }));

  it.each([
    ["leaves a store as it is unless asked", 0, []],
    ["leaves a store as it is that has less to give back", 1_000, []],
    ["gives back what is free", 1, ["defragmented the store"]],
  ])("%s", async (_, bootstrapDefragThresholdMegabytes, expected) => {
    const lines: string[] = [];
    const log = { ...silentLog, info: (message: string) => void lines.push(message) };
    const backend = await openDefragmented(path, { config: { bootstrapDefragThresholdMegabytes }, log });
    expect(lines).toEqual(expected);
    expect(backend.size().totalBytes < 1024 * 1024).toBe(expected.length > 0);
    expect([...backend.scan("key")]).toHaveLength(10);
    await backend.close();
  });
});
