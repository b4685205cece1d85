/** @module The shell examples of a page: what to run, where, and what it prints. */

/** One fenced `sh` block, and the `text` block right behind it, if there is one. */
export interface ShellBlock {
  /** The line of the page on which its code begins. */
  readonly line: number;
  readonly code: string;
  /** Why it cannot run in a test; its syntax is checked all the same. */
  readonly skip?: string;
  /** The machines on which it is run, at the same time on all of them. */
  readonly machines: readonly string[];
  /** Whether it goes on while the page does. */
  readonly background: boolean;
  /** What it prints when it serves, if it goes on. */
  readonly ready: string;
  /** Whether it is meant to fail. */
  readonly fails: boolean;
  /** Programs without which it is not run. */
  readonly needs: readonly string[];
  /** Lines that are parts of what it prints, in any order; `…` stands for anything. */
  readonly output: readonly string[];
}

const fence = /^( *)```(\w+)(.*)\n([\s\S]*?)^ *```$/gm;
const word = /([a-z]+)(?:="([^"]*)")?/g;
const words = new Set(["skip", "on", "background", "ready", "fails", "needs"]);

/**
 * The shell blocks of a page, in its order.
 *
 * @throws Error if a block has a word behind `sh` that means nothing here
 */
export function shellBlocks(page: string): readonly ShellBlock[] {
  const fences = [...page.matchAll(fence)];
  return fences.flatMap((match, at) => {
    const [, indent = "", language, info = "", code = ""] = match;
    if (language !== "sh") return [];
    const line = page.slice(0, match.index).split("\n").length + 1;
    const next = fences[at + 1];
    const between = page.slice(match.index + match[0].length, next?.index);
    const output = next?.[2] === "text" && between.trim() === "" ? dedent(next[4] ?? "", indent).split("\n") : [];
    return [
      { ...described(info, line), line, code: dedent(code, indent), output: output.filter((text) => text !== "") },
    ];
  });
}

function described(info: string, line: number): Omit<ShellBlock, "line" | "code" | "output"> {
  const given = new Map([...info.matchAll(word)].map(([, name = "", value = ""]) => [name, value]));
  for (const name of given.keys())
    if (!words.has(name)) throw new Error(`line ${line}: "${name}" is no word for a block`);
  const skip = given.get("skip");
  return {
    ...(skip === undefined ? {} : { skip }),
    machines: (given.get("on") ?? "m1").split(" "),
    background: given.has("background"),
    ready: given.get("ready") ?? "ready to serve client requests",
    fails: given.has("fails"),
    needs: given.get("needs")?.split(" ") ?? [],
  };
}

function dedent(text: string, indent: string): string {
  return text.replaceAll(new RegExp(`^${indent}`, "gm"), "");
}

/** The first expected line that the output lacks. Members answer in any order, so lines may come in any. */
export function missingLine(output: string, expected: readonly string[]): string | undefined {
  const lines = output.split("\n");
  return expected.find((text) => !lines.some((line) => isPart(text, line)));
}

/** Whether a line has the pieces of a text between its `…` in their order; widths of columns apart. */
function isPart(text: string, line: string): boolean {
  const shown = narrow(line);
  let from = 0;
  return narrow(text)
    .split("…")
    .every((piece) => {
      const at = shown.indexOf(piece, from);
      from = at + piece.length;
      return at >= 0;
    });
}

function narrow(text: string): string {
  return text.trim().replaceAll(/ +/g, " ");
}
