import { describe, expect, test } from "vitest";
import { describeFlags, type Flags, type FlagValues, parseFlags } from "./flags.ts";
import { ProxyError } from "./proxy-error.ts";

const flags: Flags = {
  wanted: { type: "bool", usage: "Whether it is wanted." },
  name: { type: "string", usage: "What it is called.", fallback: "nobody" },
  endpoints: { type: "strings", usage: "Where it is.", fallback: "a:1" },
  ttl: { type: "int", usage: "How long." },
  streams: { type: "uint32", usage: "How many.", fallback: "7" },
  delay: { type: "duration", usage: "How late.", fallback: "1m0s" },
};

function valuesOf(...args: readonly string[]): FlagValues {
  const parsed = parseFlags(flags, args);
  if (parsed.kind === "help") throw new TypeError("values were expected");
  return parsed.values;
}

describe("parseFlags()", () => {
  test("flags that are not given have their defaults", () => {
    const values = valuesOf();
    expect(values.isOn("wanted")).toBe(false);
    expect(values.text("name")).toBe("nobody");
    expect(values.list("endpoints")).toEqual(["a:1"]);
    expect(values.whole("ttl")).toBe(0);
    expect(values.whole("streams")).toBe(7);
    expect(values.durationMs("delay")).toBe(60_000);
    expect(values.isGiven("name")).toBe(false);
  });

  test("a value stands after the name or behind an equals sign; of a toggle only there", () => {
    const values = valuesOf("--name", "x", "--ttl=5", "--wanted", "--delay", "1h2m3.5s");
    expect(values.text("name")).toBe("x");
    expect(values.whole("ttl")).toBe(5);
    expect(values.isOn("wanted")).toBe(true);
    expect(values.durationMs("delay")).toBe(3_723_500);
    expect(valuesOf("--wanted=false").isOn("wanted")).toBe(false);
  });

  test("lists are split at commas and grow with every mention", () => {
    expect(valuesOf("--endpoints=b:1,c:2", "--endpoints", "d:3").list("endpoints")).toEqual(["b:1", "c:2", "d:3"]);
  });

  test("what is no flag is passed over, and everything after two dashes", () => {
    expect(valuesOf("stray", "--name=x", "--", "--nonsense").text("name")).toBe("x");
  });

  test.each([
    [["--nonsense"], "unknown flag: --nonsense"],
    [["--constructor"], "unknown flag: --constructor"],
    [["-x"], "unknown shorthand flag: 'x' in -x"],
    [["--name"], "flag needs an argument: --name"],
    [["--delay=soon"], 'invalid argument "soon" for "--delay" flag: time: invalid duration "soon"'],
    [["--ttl=1.5"], 'invalid argument "1.5" for "--ttl" flag: it is not a number of at least 0'],
    [["--streams=4294967296"], 'invalid argument "4294967296" for "--streams" flag: value out of range'],
    [
      ["--wanted=maybe"],
      'invalid argument "maybe" for "--wanted" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
  ])("%j is refused", (args, message) => {
    expect(() => parseFlags(flags, args)).toThrow(new ProxyError("CONFIG", message));
  });

  test("help is given whatever else is asked", () => {
    expect(parseFlags(flags, ["--name=x", "--help"])).toEqual({ kind: "help" });
    expect(parseFlags(flags, ["-h"])).toEqual({ kind: "help" });
  });
});

test("describeFlags() lists them by name, with types and defaults", () => {
  expect(describeFlags(flags).split("\n").slice(0, 4)).toEqual([
    "      --delay duration      How late. (default 1m0s)",
    "      --endpoints strings   Where it is. (default [a:1])",
    "  -h, --help                help for start",
    '      --name string         What it is called. (default "nobody")',
  ]);
});
