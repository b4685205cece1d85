import { utf8 } from "@conclave/base";
import { describe, expect, test } from "vitest";
import { mirroredTtl } from "./lease-mirror.ts";
import { formatReport, formatReportJson, isEqual, type MigrationReport } from "./report.ts";

const equal: MigrationReport = {
  sourceCluster: "cdf8",
  sourceRevision: 12,
  destinationRevision: 9,
  source: { keys: 3, hash: "aa" },
  destination: { keys: 3, hash: "aa" },
  differing: 0,
  differences: [],
  outOfOrder: 0,
  leases: 1,
  missingLeases: [],
  missingUsers: [],
  missingRoles: [],
};
const different: MigrationReport = {
  ...equal,
  differing: 22,
  differences: [
    { key: utf8("a\n"), kind: "missing" },
    { key: utf8("b"), kind: "value" },
  ],
  outOfOrder: 2,
  missingLeases: [77n],
  missingUsers: ["root", "alice"],
  missingRoles: undefined,
};

describe("a report", () => {
  test("says that both are equal", () => {
    expect(formatReport(equal)).toBe(
      "source       revision 12, 3 keys, SHA-256 aa\n" +
        "destination  revision 9, 3 keys, SHA-256 aa\n" +
        "leases       1 at the source, 0 of them missing at the destination\n" +
        "equal\n",
    );
  });

  test("names what differs, and never a value", () => {
    const text = formatReport(different);
    expect(text).toContain('  missing    "a\\n"\n  value      "b"\n  and 20 more\n');
    expect(text).toContain("  missing    lease 4d\n");
    expect(text).toContain("2 keys stand in another order");
    expect(text).toContain("users        not looked at");
    expect(text).toMatch(/NOT equal\n$/);
  });

  test("is a line of JSON for programs", () => {
    const parsed = JSON.parse(formatReportJson(different));
    expect(parsed).toMatchObject({
      equal: false,
      differing: 22,
      differences: [{ key: "YQo=", kind: "missing" }, { kind: "value" }],
      missingLeases: ["4d"],
      missingUsers: ["root", "alice"],
    });
  });

  test.each<[string, Partial<MigrationReport>]>([
    ["a key", { differing: 1 }],
    ["a lease", { missingLeases: [1n] }],
    ["the order", { outOfOrder: 1 }],
  ])("is not equal if %s differs", (_, difference) => {
    expect(isEqual({ ...equal, ...difference })).toBe(false);
    expect(isEqual(equal)).toBe(true);
  });
});

describe("the time to live of a lease at the destination", () => {
  test.each([
    ["all of it, if somebody renews it", 8, 10, 10],
    ["what is left, rounded up, if nobody does", 30, 100, 31],
    ["a while, if the source has lost it meanwhile", -1, 0, 60],
  ])("is %s", (_, ttlSec, grantedTtlSec, expected) => {
    expect(mirroredTtl({ ttlSec, grantedTtlSec })).toBe(expected);
  });
});
