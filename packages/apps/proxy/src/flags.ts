/** @module Command line flags as etcd's subcommands read and describe them (its library is pflag). */
import { ProxyError } from "./proxy-error.ts";

/** What a flag takes. */
export type FlagType = "bool" | "string" | "strings" | "int" | "uint" | "uint32" | "duration";

/** One flag. */
export interface Flag {
  /** What it takes. */
  readonly type: FlagType;
  /** What it does, for the help. */
  readonly usage: string;
  /** Its value if it is not given, as text; default: the zero value. */
  readonly fallback?: string;
}

/** The flags of a command by name. */
export type Flags = Readonly<Record<string, Flag>>;

/** What a command line says. */
export interface FlagValues {
  /** Whether a flag was given. */
  isGiven(name: string): boolean;
  /** A flag's text. */
  text(name: string): string;
  /** Whether a flag of type `bool` is on. */
  isOn(name: string): boolean;
  /** The elements of a flag of type `strings`. */
  list(name: string): readonly string[];
  /** The number of a flag of type `int`, `uint` or `uint32`. */
  whole(name: string): number;
  /** The milliseconds of a flag of type `duration`. */
  durationMs(name: string): number;
}

/** A command line that was read: a wish for help, or values. */
export type ParsedFlags = { readonly kind: "help" } | { readonly kind: "values"; readonly values: FlagValues };

/**
 * Reads a command line. What is no flag is passed over, as etcd does.
 *
 * @throws ProxyError `CONFIG` for an unknown flag or a value that makes no sense
 */
export function parseFlags(flags: Flags, args: readonly string[]): ParsedFlags {
  const given = new Map<string, string>();
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (arg === "-h" || arg === "--help") return { kind: "help" };
    if (arg === "--") break;
    if (!arg.startsWith("-") || arg === "-") continue;
    const [, name = "", value] = /^--([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === "") throw new ProxyError("CONFIG", `unknown shorthand flag: '${arg[1] ?? ""}' in ${arg}`);
    const flag = flagOf(flags, name);
    const text = value ?? (flag.type === "bool" ? "true" : args[++index]);
    if (text === undefined) throw new ProxyError("CONFIG", `flag needs an argument: --${name}`);
    checkValue(name, flag, text);
    const before = flag.type === "strings" ? given.get(name) : undefined;
    given.set(name, before === undefined ? text : `${before},${text}`);
  }
  return { kind: "values", values: new GivenFlags(flags, given) };
}

function flagOf(flags: Flags, name: string): Flag {
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
  if (flag === undefined) throw new ProxyError("CONFIG", `unknown flag: --${name}`);
  return flag;
}

const wholeMax: Readonly<Partial<Record<FlagType, number>>> = {
  int: Number.MAX_SAFE_INTEGER,
  uint: Number.MAX_SAFE_INTEGER,
  uint32: 2 ** 32 - 1,
};

function checkValue(name: string, { type }: Flag, text: string): void {
  const fail = (reason: string): never => {
    throw new ProxyError("CONFIG", `invalid argument ${JSON.stringify(text)} for "--${name}" flag: ${reason}`);
  };
  const max = wholeMax[type];
  if (type === "bool" && !/^(1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)$/.test(text))
    fail(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (type === "duration" && goDurationMs(text) === undefined) fail(`time: invalid duration ${JSON.stringify(text)}`);
  if (max !== undefined && !/^\d+$/.test(text)) fail("it is not a number of at least 0");
  if (max !== undefined && Number(text) > max) fail("value out of range");
}

const unitMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 36e5 };

/** The milliseconds of a duration in Go's form, such as `1m30s`; undefined if it is none. */
function goDurationMs(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, amount = "", unit = ""] of text.matchAll(/([\d.]+)([^\d.]+)/g)) {
    sum += Number(amount) * (unitMs[unit] ?? 0);
  }
  return sum;
}

class GivenFlags implements FlagValues {
  readonly #flags: Flags;
  readonly #given: ReadonlyMap<string, string>;

  constructor(flags: Flags, given: ReadonlyMap<string, string>) {
    this.#flags = flags;
    this.#given = given;
  }

  isGiven(name: string): boolean {
    return this.#given.has(name);
  }

  text(name: string): string {
    return this.#given.get(name) ?? flagOf(this.#flags, name).fallback ?? "";
  }

  isOn(name: string): boolean {
    return /^[1tT]/.test(this.text(name));
  }

  list(name: string): readonly string[] {
    return this.text(name)
      .split(",")
      .filter((element) => element !== "");
  }

  whole(name: string): number {
    return Number(this.text(name));
  }

  durationMs(name: string): number {
    return goDurationMs(this.text(name)) ?? 0;
  }
}

const typeWords: Readonly<Record<FlagType, string>> = {
  bool: "",
  string: " string",
  strings: " strings",
  int: " int",
  uint: " uint",
  uint32: " uint32",
  duration: " duration",
};

/** The lines that describe flags, by name, one below the other. */
export function describeFlags(flags: Flags): string {
  const rows: (readonly [string, string])[] = Object.entries(flags).map(([name, { type, usage, fallback }]) => [
    `      --${name}${typeWords[type]}`,
    `${usage}${describeFallback(type, fallback)}`,
  ]);
  rows.push(["  -h, --help", "help for start"]);
  rows.sort(([left], [right]) => (left.slice(6) < right.slice(6) ? -1 : 1));
  const width = Math.max(...rows.map(([left]) => left.length)) + 3;
  return rows.map(([left, right]) => `${left.padEnd(width)}${right}\n`).join("");
}

function describeFallback(type: FlagType, fallback: string | undefined): string {
  if (fallback === undefined) return "";
  if (type === "string") return ` (default "${fallback}")`;
  return type === "strings" ? ` (default [${fallback}])` : ` (default ${fallback})`;
}
