import { etcdAbsence } from "@conclave/testkit";
import { describe, expect, it } from "vitest";
import { scenarios } from "./scenarios/index.ts";
import { etcd34, etcd35, subject } from "./sides.ts";
import { suite } from "./suite.ts";

describe("the suite", () => {
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

const conclave = subject;
if (conclave !== undefined) {
  describe.skipIf(absent["3.4"])(`against etcd 3.4 ${absent["3.4"] ?? ""}`, () => suite(etcd34, conclave));
  describe.skipIf(absent["3.5"])(`against etcd 3.5 ${absent["3.5"] ?? ""}`, () => suite(etcd35, conclave));
}
