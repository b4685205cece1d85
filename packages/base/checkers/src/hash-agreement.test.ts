import { describe, expect, test } from "vitest";
import { checkHashAgreement, type HashRule, type HashSample } from "./hash-agreement.ts";
import type { KvItem } from "./kv-operation.ts";

const members = ["m1", "m2", "m3"];
const items: readonly KvItem[] = ["a", "b", "c"].map((key) => ({
  key,
  value: "v",
  createRevision: 2,
  modRevision: 5,
  version: 3,
}));

/** Three members at two revisions. */
const good: readonly HashSample[] = [10, 20].flatMap((revision) =>
  members.map((member) => ({ member, revision, compactRevision: 5, hash: revision * 7, items })),
);

function violationsOf(
  samples: readonly HashSample[],
): readonly { readonly rule: HashRule; readonly message: string }[] {
  const verdict = checkHashAgreement(samples, { members });
  return verdict.kind === "ok" ? [] : verdict.violations;
}

/** The samples with the one of member m2 at revision 20 changed. */
function withSecond(change: Partial<HashSample>): readonly HashSample[] {
  return good.map((sample) => (sample.member === "m2" && sample.revision === 20 ? { ...sample, ...change } : sample));
}

describe("members that agree are accepted", () => {
  test("at every revision", () => {
    expect(checkHashAgreement(good, { members })).toEqual({ kind: "ok", checked: 6 });
  });

  test("though one lags behind, if there is a revision that all have reached", () => {
    expect(violationsOf(good.filter(({ member, revision }) => member !== "m3" || revision !== 20))).toEqual([]);
  });

  test("though one has compacted further: its hash is of something else", () => {
    expect(violationsOf(withSecond({ hash: 1, compactRevision: 9 }))).toEqual([]);
  });
});

describe("members that differ are rejected, by what differs:", () => {
  const differs = (change: Partial<HashSample>) => violationsOf(withSecond({ hash: 1, ...change }))[0];

  test("the hash, with what each says", () => {
    expect(differs({})).toMatchObject({
      rule: "hash",
      message: expect.stringContaining(
        "at revision 20, compacted at 5: m1 says 0x0000008c, m2 says 0x00000001, m3 says 0x0000008c",
      ),
    });
  });

  test.each<{ readonly name: string; readonly other: readonly KvItem[]; readonly text: string }>([
    {
      name: "a key that is lost",
      other: items.slice(1),
      text: 'm1 has "a"="v" create 2 mod 5 version 3, m2 has (absent)',
    },
    {
      name: "a key too many",
      other: [...items, { ...(items[0] as KvItem), key: "d" }],
      text: 'm1 has (absent), m2 has "d"="v"',
    },
    {
      name: "another value",
      other: items.map((item) => ({ ...item, value: item.key === "b" ? "x" : "v" })),
      text: 'm1 has "b"="v" create 2 mod 5 version 3, m2 has "b"="x"',
    },
    { name: "another revision", other: items.map((item) => ({ ...item, modRevision: 6 })), text: "3 live keys differ" },
    { name: "nothing that is live", other: items, text: "differ in older revisions" },
  ])("$name", ({ other, text }) => {
    expect(differs({ items: other })).toMatchObject({ rule: "hash", message: expect.stringContaining(text) });
  });

  test("one member, from one moment to the next", () => {
    const samples = [...good, { member: "m1", revision: 20, compactRevision: 5, hash: 1 }];
    expect(violationsOf(samples).map(({ rule }) => rule)).toContain("unstable");
  });

  test("a member that was never compared", () => {
    expect(violationsOf(good.filter(({ member }) => member !== "m3"))).toEqual([
      { rule: "missing", message: "at no revision has every member given a hash: at best m3 did not" },
    ]);
  });

  test("members that were only asked at different revisions", () => {
    const samples = good.filter(({ member, revision }) => (member === "m1") === (revision === 20));
    expect(violationsOf(samples).map(({ rule }) => rule)).toEqual(["missing"]);
  });
});
