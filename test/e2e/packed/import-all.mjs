// Imports whatever the packages named on the command line export, by their names as a user does, and prints the names
// of all that is in there. Run where the packages are installed.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const names = {};
for (const name of process.argv.slice(2)) {
  const manifest = JSON.parse(readFileSync(join("node_modules", name, "package.json"), "utf8"));
  // What has a build; the rest is for this repository's own tests.
  const paths = Object.entries(manifest.exports).filter(([, target]) => target.default !== undefined);
  for (const [path] of paths) {
    const specifier = join(name, path);
    names[specifier] = Object.keys(await import(specifier)).sort();
  }
}
console.log(JSON.stringify(names));
