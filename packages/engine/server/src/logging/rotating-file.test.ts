import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { LogRotation } from "../config/logging.ts";
import { openRotatingFile } from "./rotating-file.ts";

const keepAll: LogRotation = { maxsize: 1, maxage: 0, maxbackups: 0, localtime: false, compress: false };
const start = Date.UTC(2026, 10, 21, 6, 7, 8, 123);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conclave-log-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Writes lines of four bytes to a file for eight. */
function write(lines: readonly string[], rotation: LogRotation, nowMs: () => number = () => start): void {
  const file = openRotatingFile(join(directory, "c.log"), rotation, { now: nowMs, maxBytes: 8 });
  for (const line of lines) file.write(`${line}\n`);
  file.close();
}

function contents(): Record<string, string> {
  return Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), "utf8")]));
}

describe("openRotatingFile()", () => {
  test("replaces the file before it gets too large, and names the old one by the time", () => {
    write(["one", "two", "tre"], keepAll);
    expect(contents()).toEqual({ "c.log": "tre\n", "c-2026-11-21T06-07-08.123.log": "one\ntwo\n" });
  });

  test("goes on with a file that is there, and counts what it holds", () => {
    writeFileSync(join(directory, "c.log"), "old\n");
    write(["one"], keepAll);
    expect(contents()).toEqual({ "c.log": "old\none\n" });
    write(["two"], keepAll);
    expect(contents()["c.log"]).toBe("two\n");
  });

  test("writes a line that is larger than a file may be", () => {
    write(["a line of more than eight bytes"], keepAll);
    expect(contents()).toEqual({ "c.log": "a line of more than eight bytes\n" });
  });

  test("loses nothing when it is replaced twice within a millisecond", () => {
    write(["one", "two", "tre", "for", "fiv"], keepAll);
    expect(Object.values(contents()).sort().join("").match(/\w+/g)?.sort()).toEqual([
      "fiv",
      "for",
      "one",
      "tre",
      "two",
    ]);
  });

  test("keeps as many old files as it is told, the latest", () => {
    let nowMs = start;
    write(["1st", "1st", "2nd", "2nd", "3rd", "3rd", "4th"], { ...keepAll, maxbackups: 2 }, () => nowMs++);
    expect(Object.values(contents()).sort()).toEqual(["2nd\n2nd\n", "3rd\n3rd\n", "4th\n"]);
  });

  test("removes files that are too old, and only its own", () => {
    for (const name of ["c-2026-11-18T00-00-00.000.log", "c-2026-11-20T00-00-00.000.log", "c-notes.log", "d.log"])
      writeFileSync(join(directory, name), "");
    write(["one", "two", "tre"], { ...keepAll, maxage: 2 });
    expect(Object.keys(contents()).sort()).toEqual([
      "c-2026-11-20T00-00-00.000.log",
      "c-2026-11-21T06-07-08.123.log",
      "c-notes.log",
      "c.log",
      "d.log",
    ]);
  });

  test("compresses old files", async () => {
    write(["one", "two", "tre"], { ...keepAll, compress: true });
    const old = join(directory, "c-2026-11-21T06-07-08.123.log");
    await vi.waitFor(
      () => expect(Object.keys(contents())).toEqual(["c-2026-11-21T06-07-08.123.log.gz", "c.log"]),
      10_000,
    );
    expect(gunzipSync(readFileSync(`${old}.gz`)).toString()).toBe("one\ntwo\n");
  });
});
