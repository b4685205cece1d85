/**
 * @module Data-driven tests. A script is a list of cases, each of commands, a line `----` and the expected output:
 *
 *     # A comment.
 *     campaign 1
 *     ----
 *     1 preCandidate
 *
 * The script is run and written again with the actual outputs; a test compares the two texts.
 */

/** One command: `name positional... key=value...`. A value may be in double quotes. */
export interface Command {
  readonly name: string;
  readonly positional: readonly string[];
  readonly options: ReadonlyMap<string, string>;
}

/** What a command prints. */
export type CommandRunner = (command: Command) => readonly string[];

function parseCommand(line: string): Command {
  const words = line.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
  const [name = "", ...rest] = words.map((word) => word.replaceAll('"', ""));
  const positional = rest.filter((word) => !word.includes("="));
  const options = rest
    .filter((word) => word.includes("="))
    .map((word): [string, string] => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]);
  return { name, positional, options: new Map(options) };
}

/** Runs one case and gives it back with its actual output. */
function runCase(text: string, run: CommandRunner): string {
  const lines = text.split("\n");
  const separator = lines.indexOf("----");
  const input = separator < 0 ? lines : lines.slice(0, separator);
  if (input.every((line) => line.startsWith("#"))) return input.join("\n");
  const output: string[] = [];
  for (const line of input) {
    if (line.startsWith("#")) continue;
    try {
      output.push(...run(parseCommand(line)));
    } catch (error) {
      // A mistake in the script shows in its output; a broken invariant is no output.
      if (!(error instanceof RangeError)) throw error;
      output.push(error.message);
    }
  }
  return [...input, "----", ...(output.length > 0 ? output : ["ok"])].join("\n");
}

/** Runs a script and gives it back with its actual outputs. */
export function runScript(script: string, run: CommandRunner): string {
  const cases = script.trim().split(/\n{2,}/);
  return `${cases.map((text) => runCase(text, run)).join("\n\n")}\n`;
}
