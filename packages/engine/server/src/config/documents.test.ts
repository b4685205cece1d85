/** @module Holds what operators read to what the code does: the page on the configuration, and the environment file. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readCommandLine } from "../command-line.ts";
import { fields, type OptionGroup, type OptionKey, optionGroups, optionKeys } from "../config.ts";
import { ancientAdvice, retiredAdvice } from "./leftovers.ts";
import { environmentName, flagName, flagNames, optionOfFlag } from "./option-names.ts";

const docs = join(import.meta.dirname, "..", "..", "..", "..", "..", "docs");
const pagePath = join(docs, "configuration.md");

/** A part of the page that this test writes; `vitest -u` brings it up to date. */
function withPart(page: string, name: string, part: string): string {
  const [start, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
  const [from, to] = [page.indexOf(start), page.indexOf(end)];
  if (from < 0 || to < 0) throw new Error(`docs/configuration.md has no part '${name}'`);
  return `${page.slice(0, from)}${start}\n${part}\n${page.slice(to)}`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("");
}

const code = (text: string): string => `\`${text}\``;

function flagsOf({ title, fields: group }: OptionGroup): string {
  const rows = (Object.keys(group) as OptionKey[]).map((key) => {
    const { fallback, fallbackText, form, help } = fields[key];
    const shown = fallbackText ?? (form === "duration" ? `${String(fallback)}ms` : String(fallback));
    const names = flagNames(key).map((name) => code(`--${name}`));
    return [names.join("<br>"), shown === "" ? "" : code(shown), help];
  });
  return `### ${title}\n\n${table(["flag", "default", "meaning"], rows)}`;
}

function withoutEffect(): string {
  const rows = optionKeys.flatMap((key) => {
    const { unused } = fields[key];
    return unused === undefined ? [] : [[code(`--${flagName(key)}`), unused]];
  });
  return table(["flag", "why it has no effect"], rows);
}

function leftovers(): string {
  const rows = [
    ...retiredAdvice.map(({ name, today, harmless }) => [code(`--${name}`), harmless.map(code).join(", "), today]),
    ...ancientAdvice.map(({ name, today }) => [code(`-${name}`), "", today]),
  ];
  return table(["flag", "ignored with a warning when", "today's way"], rows);
}

describe("docs/configuration.md", () => {
  test("tells every flag, every one without effect and every one that is refused, as the code has them", async () => {
    let page = readFileSync(pagePath, "utf8");
    page = withPart(page, "flags", optionGroups.map(flagsOf).join("\n"));
    page = withPart(page, "without effect", withoutEffect());
    page = withPart(page, "leftovers", leftovers());
    await expect(page).toMatchFileSnapshot(pagePath);
  });
});

describe("docs/systemd/conclave.default", () => {
  const lines = readFileSync(join(docs, "systemd", "conclave.default"), "utf8").split("\n");
  const variables = lines.flatMap((line) => {
    const [, name, value] = /^# (ETCD_\w+)="(.*)"$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [{ name, value }];
  });

  test("names variables that a member takes, with values that it takes", () => {
    expect(variables.length).toBeGreaterThan(20);
    const known = new Set([...optionOfFlag.keys()].map(environmentName));
    for (const { name } of variables) expect(known).toContain(name);
    const environment = Object.fromEntries(variables.map(({ name, value }) => [name, value]));
    expect(readCommandLine([], environment)).toMatchObject({ kind: "run", warnings: [] });
  });
});
