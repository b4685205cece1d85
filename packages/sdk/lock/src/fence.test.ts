import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { createFenceGate, type FenceCarrier, fenceHeader, fenceHeaders, fenceSql, readFence } from "./index.ts";

const fence = { name: "jobs/ä;1", fence: 42 };

describe("a fence in headers", () => {
  const carried = fenceHeaders(fence);
  const metadata = new Map(Object.entries(carried).map(([key, value]) => [key, [value]]));
  const carriers: readonly [string, FenceCarrier][] = [
    ["headers of fetch", new Headers(carried)],
    ["metadata of gRPC, whose values are lists", metadata],
    ["headers of a request in Node", carried],
  ];
  test.each(carriers)("is read from %s", (_, carrier) => {
    expect(readFence(carrier)).toEqual(fence);
  });

  test("may be missing", () => {
    for (const carrier of [new Headers(), new Map(), {}]) expect(readFence(carrier)).toBeUndefined();
  });

  test.each(["", "42", "x;a", "-1;a", "1;", "1;a;b", "9999999999999999;a", "1;%"])("is not read from '%s'", (text) => {
    expect(() => readFence({ [fenceHeader]: text })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("is not read where there are two", () => {
    expect(() => readFence({ [fenceHeader]: ["1;a", "2;a"] })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });
});

describe("a gate", () => {
  test("lets a holder in as often as it comes, and none before it", () => {
    const gate = createFenceGate("a", 4);
    for (const each of [5, 5, 9]) gate.admit({ name: "a", fence: each });
    expect(gate.highest).toBe(9);
    for (const each of [5, 8])
      expect(() => gate.admit({ name: "a", fence: each })).toThrow(expect.objectContaining({ code: "OWNERSHIP_LOST" }));
    expect(() => gate.admit({ name: "b", fence: 10 })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

const noSqlite = spawnSync("/usr/bin/python3", ["-c", "import sqlite3"]).status !== 0;
describe("the statements for SQL", () => {
  test.skipIf(noSqlite)("let a holder in as often as it comes, and none before it, in SQLite", () => {
    const { createTable, admit } = fenceSql("sqlite");
    const script = `
import json, sqlite3
database = sqlite3.connect(":memory:")
for _ in range(2): database.execute(${JSON.stringify(createTable)})
rows = [database.execute(${JSON.stringify(admit)}, each).rowcount for each in [("a", 5), ("a", 5), ("a", 9), ("a", 8), ("b", 1)]]
print(json.dumps([rows, database.execute("SELECT * FROM conclave_fences ORDER BY name").fetchall()]))`;
    const { stdout, stderr } = spawnSync("/usr/bin/python3", ["-c", script], { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual([
      [1, 1, 1, 0, 1],
      [
        ["a", 9],
        ["b", 1],
      ],
    ]);
  });

  test("number their parameters for PostgreSQL", () => {
    expect(fenceSql("postgresql").admit).toContain("VALUES ($1, $2)");
  });
});
