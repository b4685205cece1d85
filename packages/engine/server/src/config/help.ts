/** @module What `--help` prints: every option under its heading, with its default. */
import { fields, type OptionGroup, type OptionKey, optionGroups } from "../config.ts";
import { flagName } from "./option-names.ts";

const usage = `Usage:

  conclave [flags]
    Start a member.

  conclave --version
    Show the version.

  conclave -h | --help
    Show this help.

  conclave --config-file
    Path of a YAML file with the configuration. It alone counts then: flags and environment variables are ignored.

Each flag is also an environment variable: --initial-cluster is ETCD_INITIAL_CLUSTER. A flag beats the environment.
`;

/** The text of `--help`. */
export function helpText(): string {
  return [usage, ...optionGroups.map(groupText)].join("\n");
}

function groupText({ title, fields: group }: OptionGroup): string {
  const lines = Object.keys(group).map((key) => optionText(key as OptionKey));
  return `${title}:\n${lines.join("")}`;
}

function optionText(key: OptionKey): string {
  const { fallback, fallbackText, form, help } = fields[key];
  const shown = fallbackText ?? (form === "duration" ? `${String(fallback)}ms` : String(fallback));
  return `  --${flagName(key)} '${shown}'\n    ${help}\n`;
}
