import { type VirtualTime, virtualTime } from "@conclave/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import { SimpleTokens } from "./simple-tokens.ts";

let time: VirtualTime;
let tokens: SimpleTokens;
beforeEach(() => {
  time = virtualTime();
  tokens = new SimpleTokens({ clock: time, ttlSec: 10 });
});

describe("SimpleTokens", () => {
  test("a token stands for its user until nobody has shown it for its time to live", async () => {
    tokens.assign("one.1", "ann");
    tokens.assign("two.2", "bob");
    for (let round = 0; round < 5; round++) {
      await time.advance(9_000);
      expect(tokens.user("one.1")).toBe("ann");
    }
    expect(tokens.user("two.2")).toBeUndefined();
    await time.advance(10_000);
    expect(tokens.user("one.1")).toBeUndefined();
    expect(tokens.size).toBe(0);
  });

  test.each(["", "one.2", "ONE.1", "one.1 ", "__proto__", "constructor"])("%j stands for nobody", (token) => {
    tokens.assign("one.1", "ann");
    expect(tokens.user(token)).toBeUndefined();
  });

  test("those of a user are taken back, those of others stay", () => {
    tokens.assign("one.1", "ann");
    tokens.assign("two.2", "ann");
    tokens.assign("three.3", "bob");
    tokens.revoke("ann");
    expect(["one.1", "two.2", "three.3"].map((token) => tokens.user(token))).toEqual([undefined, undefined, "bob"]);
    tokens.clear();
    expect(tokens.user("three.3")).toBeUndefined();
  });

  test("those that have run out are forgotten as new ones come, and of too many the one that was used longest ago", async () => {
    tokens.assign("old.0", "ann");
    await time.advance(11_000);
    tokens.assign("new.1", "ann");
    expect(tokens.size).toBe(1);
    for (let index = 2; index <= 100_000; index++) tokens.assign(`token.${index}`, "bob");
    expect(tokens.user("new.1")).toBe("ann");
    tokens.assign("last.100001", "bob");
    expect(tokens.size).toBe(100_000);
    expect([tokens.user("new.1"), tokens.user("token.2")]).toEqual(["ann", undefined]);
  });

  test("live for five minutes unless told otherwise", async () => {
    const usual = new SimpleTokens({ clock: time });
    usual.assign("one.1", "ann");
    await time.advance(299_999);
    expect(usual.user("one.1")).toBe("ann");
    await time.advance(300_000);
    expect(usual.user("one.1")).toBeUndefined();
  });
});
