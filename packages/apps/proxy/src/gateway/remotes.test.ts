import { expect, test } from "vitest";
import { Remotes } from "./remotes.ts";

const endpoint = (address: string, { priority = 0, weight = 1 } = {}) => ({
  address,
  scheme: "http",
  priority,
  weight,
});

function picks(remotes: Remotes, count: number): string {
  return Array.from({ length: count }, () => remotes.pick()?.address.slice(0, 1) ?? "-").join("");
}

test("members of the same weight take turns", () => {
  expect(picks(new Remotes([endpoint("a:1"), endpoint("b:1"), endpoint("c:1")]), 7)).toBe("abcabca");
});

test("a member of more weight is taken more often, spread evenly", () => {
  expect(picks(new Remotes([endpoint("a:1", { weight: 3 }), endpoint("b:1"), endpoint("c:1")]), 10)).toBe("abacaabaca");
});

test("members of a worse priority are taken only when none of a better one can be dialled", () => {
  const remotes = new Remotes([endpoint("a:1", { priority: 2 }), endpoint("b:1", { priority: 1 })]);
  expect(picks(remotes, 3)).toBe("bbb");
  const best = remotes.pick();
  if (best !== undefined) best.active = false;
  expect(picks(remotes, 2)).toBe("aa");
  expect(remotes.failed).toEqual([best]);
});

test("with all failed there is none", () => {
  const remotes = new Remotes([endpoint("a:1")]);
  const only = remotes.pick();
  if (only !== undefined) only.active = false;
  expect(remotes.pick()).toBeUndefined();
});

test.each(["a", ":1", "a:b", "http://a:1"])("%j is no address of a member", (address) => {
  expect(() => new Remotes([endpoint(address)])).toThrow(`error parsing endpoint ${JSON.stringify(address)}`);
});
