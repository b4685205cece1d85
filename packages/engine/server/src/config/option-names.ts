/** @module The names that an option has on a command line, in the environment and in a file. */
import { fields, type OptionKey, optionKeys } from "../config.ts";

/** The name of an option's flag, without its dashes; also its key in a configuration file. */
export function flagName(key: OptionKey): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** All names of an option's flag: the first is today's, the other that of etcd 3.4 and 3.5. */
export function flagNames(key: OptionKey): readonly string[] {
  const name = flagName(key);
  return fields[key].experimental === true ? [name, `experimental-${name}`] : [name];
}

/** The environment variable of a flag. */
export function environmentName(flag: string): string {
  return `ETCD_${flag.toUpperCase().replaceAll("-", "_")}`;
}

/** The option of each name of a flag. */
export const optionOfFlag: ReadonlyMap<string, OptionKey> = new Map(
  optionKeys.flatMap((key) => flagNames(key).map((name) => [name, key] as const)),
);

/** How an operator knows an option. */
export function optionName(key: string): string {
  return Object.hasOwn(fields, key) ? `--${flagName(key as OptionKey)}` : key;
}
