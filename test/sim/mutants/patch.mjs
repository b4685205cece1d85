// A hook of the module loader that replaces one piece of text in one source, and fails if it is not there exactly once.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { mutants } from "./mutants.mjs";

const root = join(import.meta.dirname, "..", "..", "..");
/** @type {{ name: string, edits: Map<string, { find: string, replace: string }[]> } | undefined} */
let mutant;

export function initialize({ mutant: name }) {
  const edits = new Map();
  if (!(name in mutants)) throw new RangeError(`There is no mutant '${name}': ${Object.keys(mutants).join(", ")}`);
  for (const { file, find, replace } of mutants[name].edits) {
    const url = pathToFileURL(join(root, file)).href;
    edits.set(url, [...(edits.get(url) ?? []), { find, replace }]);
  }
  mutant = { name, edits };
}

export async function load(url, context, nextLoad) {
  const edits = mutant?.edits.get(url.split("?")[0]);
  if (edits === undefined) return nextLoad(url, context);
  let source = readFileSync(new URL(url), "utf8");
  for (const { find, replace } of edits) {
    const places = source.split(find).length - 1;
    if (places !== 1) throw new Error(`The mutant '${mutant.name}' finds its text ${places} times in ${url}`);
    source = source.replace(find, () => replace);
  }
  return {
    format: "module",
    shortCircuit: true,
    source: `${source}\nglobalThis.conclaveMutant = ${JSON.stringify(mutant.name)};\n`,
  };
}
