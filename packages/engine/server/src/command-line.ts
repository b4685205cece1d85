/**
 * @module Reads a member's configuration from the three places an operator can put it, as etcd does: a flag beats the
 * environment; with `--config-file` the file alone counts.
 */
import type { FieldForm } from "./config/field.ts";
import { type GivenOption, readConfigFile } from "./config/file.ts";
import { parseGoFlags } from "./config/go-flags.ts";
import { helpText } from "./config/help.ts";
import { judgeRetired, leftoverForm, retiredFlags } from "./config/leftovers.ts";
import { environmentName, flagNames, optionName, optionOfFlag } from "./config/option-names.ts";
import { fields, type MemberConfig, type OptionKey, optionKeys, parseMemberConfig } from "./config.ts";
import { MemberError } from "./member-error.ts";

/** What a command line asks for. */
export type CommandLine =
  | { readonly kind: "run"; readonly config: MemberConfig; readonly warnings: readonly string[] }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" };

type Environment = Readonly<Record<string, string | undefined>>;
type Given = ReadonlyMap<OptionKey, GivenOption>;

/** Flags that are no options of a member. */
const commandFlags: ReadonlyMap<string, FieldForm> = new Map([
  ["config-file", "value"],
  ["version", "toggle"],
  ["help", "toggle"],
  ["h", "toggle"],
]);

/**
 * Reads the configuration of a member.
 *
 * @param args - the arguments after the program's name
 * @param environment - the environment; only `ETCD_*` is looked at
 * @throws MemberError `CONFIG`, with one line that names the option and the value
 */
export function readCommandLine(args: readonly string[], environment: Environment): CommandLine {
  const flags = parseGoFlags(args, formOf);
  if (flags.has("help") || flags.has("h")) return { kind: "help", text: helpText() };
  if (flags.get("version") === "true") return { kind: "version" };
  const configFile = flags.get("config-file") ?? environment.ETCD_CONFIG_FILE ?? "";
  return configFile === "" ? fromFlagsAndEnvironment(flags, environment) : fromFile(configFile, flags, environment);
}

function formOf(name: string): FieldForm | undefined {
  const key = optionOfFlag.get(name);
  return key === undefined ? (commandFlags.get(name) ?? leftoverForm(name)) : fields[key].form;
}

function fromFlagsAndEnvironment(flags: ReadonlyMap<string, string>, environment: Environment): CommandLine {
  const given = new Map<OptionKey, GivenOption>();
  const warnings: string[] = [...retiredWarnings(flags, environment), ...unknownVariables(environment)];
  for (const key of optionKeys) {
    const option = givenByFlag(key, flags);
    const fromEnvironment = givenByEnvironment(key, environment);
    if (option !== undefined && fromEnvironment !== undefined)
      warnings.push(`${fromEnvironment.source} is ignored as ${option.source} is given`);
    const chosen = option ?? fromEnvironment;
    if (chosen !== undefined) given.set(key, chosen);
  }
  const commandLine = run(given, warnings);
  if (given.has("listenClientUrls") && !given.has("advertiseClientUrls")) {
    throw new MemberError("CONFIG", "--advertise-client-urls is required when --listen-client-urls is set explicitly");
  }
  return commandLine;
}

/** An option that is given by both of its names must have one value. */
function givenByFlag(key: OptionKey, flags: ReadonlyMap<string, string>): GivenOption | undefined {
  const [first, second] = flagNames(key).flatMap((name) => {
    const value = flags.get(name);
    return value === undefined ? [] : [{ value, source: `--${name}` }];
  });
  if (first !== undefined && second !== undefined && first.value !== second.value) {
    throw new MemberError(
      "CONFIG",
      `Invalid value ${JSON.stringify(second.value)} for ${second.source}: contradicts ${first.source}`,
    );
  }
  return first;
}

function givenByEnvironment(key: OptionKey, environment: Environment): GivenOption | undefined {
  for (const name of flagNames(key).map(environmentName)) {
    const value = environment[name];
    if (value !== undefined && value !== "") return { value, source: name };
  }
  return undefined;
}

function* retiredWarnings(flags: ReadonlyMap<string, string>, environment: Environment): Iterable<string> {
  for (const name of retiredFlags) {
    const flag = flags.get(name);
    const variable = environmentName(name);
    const value = flag ?? environment[variable];
    if (value === undefined || (flag === undefined && value === "")) continue;
    const warning = judgeRetired(name, value, flag === undefined ? variable : `--${name}`);
    if (warning !== undefined) yield warning;
  }
}

function* unknownVariables(environment: Environment): Iterable<string> {
  const known = new Set([...optionOfFlag.keys(), ...retiredFlags, "config-file"].map(environmentName));
  for (const name of Object.keys(environment)) {
    if (name.startsWith("ETCD_") && !known.has(name)) yield `unrecognized environment variable ${name}`;
  }
}

function fromFile(path: string, flags: ReadonlyMap<string, string>, environment: Environment): CommandLine {
  const { given, warnings } = readConfigFile(path);
  const others = [...flags.keys(), ...Object.keys(environment).filter((name) => name.startsWith("ETCD_"))];
  return others.every((name) => name === "config-file" || name === "ETCD_CONFIG_FILE")
    ? run(given, warnings)
    : run(given, ["the configuration file alone counts: other flags and the environment are ignored", ...warnings]);
}

function run(given: Given, warnings: readonly string[]): CommandLine {
  const input = Object.fromEntries([...given].map(([key, { value }]) => [key, value]));
  const sources: ReadonlyMap<string, GivenOption> = given;
  const config = parseMemberConfig(input, (key) => sources.get(key)?.source ?? optionName(key));
  return { kind: "run", config, warnings: [...warnings, ...unusedWarnings(given)] };
}

function* unusedWarnings(given: Given): Iterable<string> {
  for (const [key, { source }] of given) {
    const { unused } = fields[key];
    if (unused !== undefined) yield `${source} has no effect: ${unused}`;
  }
}
