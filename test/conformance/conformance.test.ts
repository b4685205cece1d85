import { readFileSync } from "node:fs";
import { etcdAbsence } from "@conclave/testkit";
import { describe, expect, it } from "vitest";
import { scenarios } from "./scenarios/index.ts";
import { conclave, etcd34, etcd35 } from "./sides.ts";
import { suite } from "./suite.ts";

const table = readFileSync(new URL("../../docs/compatibility.md", import.meta.url), "utf8");

describe("the suite", () => {
  it("notes differences by rows of the table in docs/compatibility.md", () => {
    const steps = Object.values(scenarios).flatMap((cases) => cases.flatMap((each) => each.steps));
    const rows = new Set(steps.flatMap(({ differs = {} }) => Object.values(differs)));
    expect(rows.size).toBeGreaterThan(0);
    for (const row of rows) expect(table).toContain(`\n| ${row} |`);
  });

  it("has at least 300 cases, each with a title of its own", () => {
    const titles = Object.values(scenarios).flatMap((cases) => cases.map(({ title }) => title));
    expect(titles.length).toBeGreaterThanOrEqual(300);
    expect(new Set(titles).size).toBe(titles.length);
  });
});

const absent = { "3.4": etcdAbsence("3.4"), "3.5": etcdAbsence("3.5") };

describe.skipIf(absent["3.4"] ?? absent["3.5"])(`etcd 3.4 against 3.5 ${absent["3.4"] ?? absent["3.5"] ?? ""}`, () => {
  suite(etcd35, etcd34);
});

describe.skipIf(absent["3.4"])(`against etcd 3.4 ${absent["3.4"] ?? ""}`, () => suite(etcd34, conclave));
describe.skipIf(absent["3.5"])(`against etcd 3.5 ${absent["3.5"] ?? ""}`, () => suite(etcd35, conclave));
