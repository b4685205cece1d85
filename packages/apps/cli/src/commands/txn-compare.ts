import { utf8Text } from "@conclave/base";
import {
  Compare,
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
} from "@conclave/protocol/etcdserverpb";
import { CommandError, exitCodes } from "../exit.ts";
import { parseInt64 } from "../go/integers.ts";
import { quoteBytes, quoteText } from "../go/quote.ts";
import { quotedPattern, unquote } from "../go/unquote.ts";

const operators: Readonly<Record<string, Result>> = {
  "=": Result.EQUAL,
  "!=": Result.NOT_EQUAL,
  ">": Result.GREATER,
  "<": Result.LESS,
};

type TargetFields = Pick<Compare, "target" | "targetUnion">;

/** What each name before the parenthesis compares, given the text it is compared with. */
const targets: Readonly<Record<string, (value: Uint8Array) => TargetFields>> = {
  version: (value) => ({ target: Target.VERSION, targetUnion: { $case: "version", value: integer(value, 10) } }),
  create: (value) => ({ target: Target.CREATE, targetUnion: { $case: "createRevision", value: integer(value, 10) } }),
  mod: (value) => ({ target: Target.MOD, targetUnion: { $case: "modRevision", value: integer(value, 10) } }),
  value: (value) => ({ target: Target.VALUE, targetUnion: { $case: "value", value } }),
  lease: (value) => ({ target: Target.LEASE, targetUnion: { $case: "lease", value: integer(value, 16) } }),
};
const shortNames: Readonly<Record<string, string>> = { ver: "version", c: "create", m: "mod", val: "value" };

const comparison = new RegExp(`^(?<key>${quotedPattern})\\)\\s+(?<operator>\\S+)\\s+(?<value>${quotedPattern})`);

/**
 * Reads a comparison such as `mod("key") > "0"` or `value("key") = "text"`; a lease is written in hexadecimal.
 *
 * @throws CommandError if it is malformed
 */
export function parseCompare(line: string): Compare {
  const parenthesis = line.indexOf("(");
  if (parenthesis < 0) throw malformed(line);
  const name = line.slice(0, parenthesis);
  const { key, operator = "", value } = comparison.exec(line.slice(parenthesis + 1))?.groups ?? {};
  const keyBytes = key === undefined ? undefined : unquote(key);
  const valueBytes = value === undefined ? undefined : unquote(value);
  if (keyBytes === undefined || valueBytes === undefined)
    throw malformed(`${line}; got ${partial(name, line.slice(parenthesis + 1))}`);
  const target = targets[shortNames[name] ?? name];
  if (target === undefined) throw malformed(`${line} (unknown target ${name})`);
  const result = operators[operator];
  if (result === undefined) throw malformed(`${line} (unknown operator ${operator})`);
  try {
    return Compare.fromPartial({ key: keyBytes, result, ...target(valueBytes) });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CommandError(exitCodes.invalidInput, `invalid txn compare request: ${line}`, { cause: error });
  }
}

function malformed(what: string): CommandError {
  return new CommandError(exitCodes.invalidInput, `malformed comparison: ${what}`);
}

/** As much of a comparison as could be read, so that the user sees where reading stopped. */
function partial(name: string, rest: string): string {
  const [, quoted = '""', operator = ""] = new RegExp(`^(${quotedPattern})(?:\\)\\s+(\\S+))?`).exec(rest) ?? [];
  return `${name}(${quoteBytes(unquote(quoted) ?? new Uint8Array(0))}) ${operator} ${quoteText("")}`;
}

function integer(bytes: Uint8Array, base: 10 | 16): bigint {
  return parseInt64(utf8Text(bytes), base);
}
