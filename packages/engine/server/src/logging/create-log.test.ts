import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseMemberConfig } from "../config.ts";
import type { Log } from "../log.ts";
import { createLog } from "./create-log.ts";
import { journalLine } from "./lines.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conclave-log-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const path = (name: string): string => join(directory, name);
const read = (name: string): string => readFileSync(path(name), "utf8");

function open(input: Readonly<Record<string, unknown>>): Log {
  return createLog(parseMemberConfig({ logOutputs: [path("a.log")], ...input }), {})("server/test");
}

describe("createLog()", () => {
  test("writes a line of JSON with the fields that tools made for etcd read", () => {
    open({}).warn("disk is slow", { "took-ms": 7 });
    expect(JSON.parse(read("a.log"))).toEqual({
      level: "warn",
      ts: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      caller: "server/test",
      "took-ms": 7,
      msg: "disk is slow",
    });
  });

  test("writes for people to read", () => {
    open({ logFormat: "console" }).warn("disk is slow", { "took-ms": 7 });
    expect(read("a.log")).toMatch(/^\d{4}-\S+Z\tWARN\tserver\/test\tdisk is slow\t{"took-ms":7}\n$/);
  });

  test("keeps what others sent within its line", () => {
    open({ logFormat: "console" }).warn("a\n2026 ERROR\u001b[2J");
    expect(read("a.log")).toMatch(/\ta\\n2026 ERROR\\u001b\[2J\n$/);
  });

  test.each([
    ["debug", ["debug", "info", "warn", "error"]],
    ["warn", ["warn", "error"]],
    ["panic", []],
  ])("leaves out what is below the level %s", (logLevel, expected) => {
    const log = open({ logLevel });
    log.debug("debug");
    log.info("info");
    log.warn("warn");
    log.error("error");
    expect(read("a.log").match(/(?<="msg":")\w+/g) ?? []).toEqual(expected);
  });

  test("writes to every output", () => {
    open({ logOutputs: [path("a.log"), path("b.log")] }).info("hello");
    expect(read("a.log")).toContain("hello");
    expect(read("b.log")).toBe(read("a.log"));
  });

  test("replaces the file when it is told to", () => {
    const log = open({ enableLogRotation: "true", logRotationConfigJson: '{"maxsize": 1, "maxbackups": 1}' });
    for (let line = 0; line < 3; line++) log.info("x".repeat(600_000));
    expect(read("a.log").length).toBeLessThan(1024 * 1024);
  });

  test.each([
    [["/no/such/directory/a.log"], /^Cannot write the log to '\/no\/such\/directory\/a.log': /],
    [["systemd/journal"], /^Cannot write the log to 'systemd\/journal': systemd has not connected/],
  ])("refuses the outputs %j", (logOutputs, message) => {
    expect(() => open({ logOutputs })).toThrow(
      expect.objectContaining({ code: "CONFIG", message: expect.stringMatching(message) }),
    );
  });
});

test.each([
  ["debug", "<7>"],
  ["warn", "<4>"],
  ["error", "<3>"],
])("journalLine() tells systemd's journal that a line is of level %s", (level, prefix) => {
  expect(journalLine(JSON.stringify({ level }), "line\n")).toBe(`${prefix}line\n`);
});
