/** @module Options that read their values as etcdctl's do, and complain in its words. */
import { Option } from "commander";
import { CommandError, exitCodes } from "./exit.ts";
import { parseDurationMs } from "./go/duration.ts";
import { parseInt64 } from "./go/integers.ts";

/** An option that is there or not. */
export function booleanFlag(flags: string, description: string, standard = false): Option {
  const option = new Option(flags, description).default(standard, String(standard));
  // A flag of etcdctl whose name begins with "no-" is one of its own, not the reverse of another.
  option.negate = false;
  return option;
}

/** An option with a 64-bit integer, 0 by default. */
export function int64Flag(name: string, description: string): Option {
  return valueFlag(`--${name} <integer>`, description, (text) => parseInt64(text, 0)).default(0n, "0");
}

/** An option with a duration such as `5s`; its value is in milliseconds. */
export function durationFlag(name: string, description: string, standard: string): Option {
  return valueFlag(`--${name} <duration>`, description, parseDurationMs).default(parseDurationMs(standard), standard);
}

/** An option that takes text. */
export function textFlag(flags: string, description: string, standard = ""): Option {
  return new Option(flags, description).default(standard, JSON.stringify(standard));
}

/** An option whose value is read by a parser that throws a RangeError with the reason. */
export function valueFlag<Value>(flags: string, description: string, parse: (text: string) => Value): Option {
  const option = new Option(flags, description);
  return option.argParser((text: string) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const names = option.short === undefined ? option.long : `${option.short}, ${option.long}`;
      throw new CommandError(
        exitCodes.failure,
        `invalid argument ${JSON.stringify(text)} for "${names}" flag: ${error.message}`,
        { cause: error },
      );
    }
  });
}

const truths: Readonly<Record<string, boolean>> = {
  1: true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  0: false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

/**
 * Reads a boolean as Go's `strconv.ParseBool` does.
 *
 * @throws RangeError with Go's words
 */
export function parseBool(text: string): boolean {
  const value = truths[text];
  if (value === undefined) throw new RangeError(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
  return value;
}

/**
 * Rewrites what Go's flags allow and the argument parser does not: `--prefix=true` becomes `--prefix`,
 * `--prefix=false` becomes `--no-prefix`, `-w=json` becomes `-wjson`. What follows `--` stays.
 *
 * @param booleans - the long names of the options that take no value, such as `--prefix`
 */
export function goArguments(args: readonly string[], booleans: ReadonlySet<string>): string[] {
  const separator = args.includes("--") ? args.indexOf("--") : args.length;
  const rewritten = args.slice(0, separator).map((arg) => {
    const [, name = "", value = ""] = /^(--[^=]+)=(.*)$/s.exec(arg) ?? [];
    if (!booleans.has(name)) return arg.replace(/^(-[^-])=/, "$1");
    return parseBooleanFlag(name, value) ? name : `--no-${name.slice(2)}`;
  });
  return [...rewritten, ...args.slice(separator)];
}

function parseBooleanFlag(name: string, value: string): boolean {
  try {
    return parseBool(value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `invalid argument ${JSON.stringify(value)} for "${name}" flag: ${reason}`;
    throw new CommandError(exitCodes.failure, message, { cause: error });
  }
}
