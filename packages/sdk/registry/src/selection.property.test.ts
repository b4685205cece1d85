import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { select } from "./selection.ts";

const name = fc.stringMatching(/^[ab.-]{1,4}$/);
const pattern = fc.stringMatching(/^[ab.*-]{1,4}$/);

/** What a pattern names, one character after the other. */
function named(by: string, service: string): boolean {
  if (by === "") return service === "";
  if (by[0] === "*") return named(by.slice(1), service) || (service !== "" && named(by, service.slice(1)));
  return by[0] === service[0] && service !== "" && named(by.slice(1), service.slice(1));
}

describe("a selection", () => {
  test("is what its patterns name, and all their keys start with what is watched", () => {
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 3 }), name, (patterns, service) => {
        const { matches, keys } = select(patterns);
        expect(matches(service)).toBe(patterns.some((each) => named(each, service)));
        if (matches(service)) expect(`${service}/id`.startsWith(keys)).toBe(true);
      }),
    );
  });

  test("of one name is that service alone", () => {
    expect(select("orders").keys).toBe("orders/");
    expect(select(["orders-eu", "orders-us"]).keys).toBe("orders-");
    expect(select(undefined)).toMatchObject({ keys: "" });
  });

  test.each([[""], ["a/b"], ["a b"], [[]]])("refuses %j", (services) => {
    expect(() => select(services)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
