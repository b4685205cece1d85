// Installs the newest releases of the later lines of Node beside the one that is used, from the packages in which npm
// has them, for the tests of what users install. Prints the paths of the binaries; fetches only what is not there yet.
//
//   node tools/fetch-nodes.mjs
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const lines = [22, 24];
const cache = join(import.meta.dirname, "..", "node_modules", ".cache", "nodes");
const name = `node-${process.platform}-${process.arch}`;

for (const line of lines) {
  const prefix = join(cache, String(line));
  const binary = join(prefix, "node_modules", name, "bin", "node");
  if (!existsSync(binary)) {
    mkdirSync(prefix, { recursive: true });
    const options = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", prefix];
    execFileSync("npm", ["install", ...options, `${name}@${line}`], { stdio: ["ignore", "ignore", "inherit"] });
  }
  process.stdout.write(`${binary}\n`);
}
