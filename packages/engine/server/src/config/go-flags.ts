/** @module The syntax of flags in Go, which operators of etcd and their scripts rely on. */
import { MemberError } from "../member-error.ts";
import type { FieldForm } from "./field.ts";

/**
 * Reads flags: `--name value`, `--name=value`, and the same with one dash. A toggle takes its value only with `=`, and
 * stands for `true` without one. Of a flag given twice the last counts.
 *
 * @param args - the arguments after the program's name
 * @param formOf - how a flag is written; undefined refuses it as unknown
 * @throws MemberError `CONFIG` if a flag is unknown, lacks its value, or an argument is no flag
 */
export function parseGoFlags(
  args: readonly string[],
  formOf: (name: string) => FieldForm | undefined,
): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  const rest = args[Symbol.iterator]();
  for (const argument of rest) {
    const [, name = "", , inline] = /^--?([^-=][^=]*)(=(.*))?$/s.exec(argument) ?? [];
    if (name === "") throw new MemberError("CONFIG", `'${argument}' is not a valid flag`);
    const form = formOf(name);
    if (form === undefined) throw new MemberError("CONFIG", `Unknown flag '--${name}'`);
    const value = inline ?? (form === "toggle" ? "true" : rest.next().value);
    if (value === undefined) throw new MemberError("CONFIG", `Flag --${name} needs a value`);
    given.set(name, value);
  }
  return given;
}
