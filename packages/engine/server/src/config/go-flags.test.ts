import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FieldForm } from "./field.ts";
import { parseGoFlags } from "./go-flags.ts";

const forms: Readonly<Record<string, FieldForm>> = { name: "value", quick: "toggle", wait: "duration" };
const parse = (args: readonly string[]): Record<string, string> =>
  Object.fromEntries(parseGoFlags(args, (name) => forms[name]));

describe("parseGoFlags()", () => {
  test.each([
    [["--name", "a"], { name: "a" }],
    [["-name=a=b"], { name: "a=b" }],
    [["--name="], { name: "" }],
    [["--name", "-5"], { name: "-5" }],
    [["--name", "--quick"], { name: "--quick" }],
    [["--quick"], { quick: "true" }],
    [["-quick=false", "-wait", "5s"], { quick: "false", wait: "5s" }],
    [["--name=a", "--name=b"], { name: "b" }],
    [[], {}],
  ])("reads %j as Go does", (args, expected) => {
    expect(parse(args)).toEqual(expected);
  });

  test.each([
    [["--quick", "false"], "'false' is not a valid flag"],
    [["--"], "'--' is not a valid flag"],
    [["-"], "'-' is not a valid flag"],
    [["--=a"], "'--=a' is not a valid flag"],
    [["---name=a"], "'---name=a' is not a valid flag"],
    [["--nam", "a"], "Unknown flag '--nam'"],
    [["--wait"], "Flag --wait needs a value"],
  ])("refuses %j", (args, message) => {
    expect(() => parse(args)).toThrow(expect.objectContaining({ code: "CONFIG", message }));
  });

  test("gives back every value as it was given, however it was given", () => {
    fc.assert(
      fc.property(fc.string(), fc.boolean(), fc.constantFrom("-", "--"), (value, isInline, dashes) => {
        const args = isInline ? [`${dashes}name=${value}`] : [`${dashes}name`, value];
        expect(parse(args)).toEqual({ name: value });
      }),
    );
  });
});
