import { describe, expect, test } from "vitest";
import { parseArguments } from "./arguments.ts";
import { exitCodes } from "./exit.ts";
import { booleanFlag, durationFlag, int64Flag, textFlag } from "./flags.ts";

const flags = [
  booleanFlag("--prefix", "all that start so"),
  booleanFlag("--safe", "on unless it is put off", true),
  int64Flag("rev", "a revision"),
  durationFlag("wait", "a while", "5s"),
  textFlag("-w, --write-out <format>", "a format", "simple"),
];
const defaults = { prefix: false, safe: true, rev: 0n, wait: 5000, writeOut: "simple" };

describe("parseArguments reads options as Go's flags do", () => {
  test.each([
    ["nothing", [], {}],
    ["a value after a space or an equals sign", ["--rev", "7", "--write-out=json"], { rev: 7n, writeOut: "json" }],
    ["a short option in all its forms", ["-w", "a", "-wb", "-w=c"], { writeOut: "c" }],
    ["a boolean with a value", ["--prefix=true", "--safe=false"], { prefix: true, safe: false }],
    ["the last of several", ["--prefix", "--prefix=F", "--rev=1", "--rev=0x10"], { rev: 16n }],
    ["a value that looks like an option", ["--rev", "-5"], { rev: -5n }],
    ["a duration", ["--wait=1m30s"], { wait: 90_000 }],
  ])("%s", (_what, args, expected) => {
    expect(parseArguments(flags, args).options).toEqual({ ...defaults, ...expected });
  });

  test("operands may stand between options, and what follows -- is never an option", () => {
    const { operands, separated, options } = parseArguments(flags, ["a", "--prefix", "b", "--", "--rev", "1", "--"]);
    expect(operands).toEqual(["a", "b", "--rev", "1", "--"]);
    expect(separated).toEqual(["--rev", "1", "--"]);
    expect(options).toMatchObject({ prefix: true, rev: 0n });
  });

  test.each([
    [["--nosuch"], "unknown flag: --nosuch"],
    [["--nosuch=1"], "unknown flag: --nosuch"],
    [["-x"], "unknown shorthand flag: 'x' in -x"],
    [["--rev"], "flag needs an argument: --rev"],
    [["--rev=x"], 'invalid argument "x" for "--rev" flag: strconv.ParseInt: parsing "x": invalid syntax'],
    [["--wait=5"], 'invalid argument "5" for "--wait" flag: time: missing unit in duration "5"'],
    [
      ["--prefix=maybe"],
      'invalid argument "maybe" for "--prefix" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
  ])("refuses %j", (args, message) => {
    expect(() => parseArguments(flags, args)).toThrow(
      expect.objectContaining({ message, exitCode: exitCodes.failure }),
    );
  });
});
