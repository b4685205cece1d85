// Holds every manifest and every import to the layers of docs/ARCHITECTURE.md: imports point down only, client and
// engine meet at the wire, recipes are strangers to each other, only tests see the testkit, and all is declared.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, join, relative } from "node:path";
import ts from "typescript";

const foundation = ["base", "protocol"];
const pure = ["raft", "mvcc", "lease", "auth"];
const adapters = ["rpc", "wal", "store-lmdb", "peer", "snapshot", "tls"];
const recipes = ["registry", "lock", "election", "config", "pubsub", "recipes"];
/** What connects a recipe to somebody else's library, for the sake of which it is a package of its own. */
const connectors = ["registry-grpc", "registry-undici"];
const everything = [...foundation, ...pure, "checkers", ...adapters, "server", "client", ...recipes, ...connectors];
/** For each package, the packages of the house that it may import. */
const below = new Map([
  ["protocol", ["base"]],
  ...[...pure, "client"].map((name) => [name, foundation]),
  ...adapters.map((name) => [name, [...foundation, ...pure]]),
  // Only the tests of the checkers import what is pure: they judge the real store.
  ["checkers", [...foundation, ...pure]],
  ["server", [...foundation, ...pure, ...adapters]],
  ...recipes.map((name) => [name, ["base", "client"]]),
  ...connectors.map((name) => [name, ["base", "client", "registry"]]),
  ["proxy", [...foundation, "rpc", "tls", "client"]],
  ...["cli", "console", "testkit"].map((name) => [name, everything]),
]);

const root = join(import.meta.dirname, "..");
const readJson = (path) => JSON.parse(readFileSync(join(root, path), "utf8"));
const houseName = (specifier) => /^@conclave\/([^/]+)/.exec(specifier)?.[1];
const isUpward = (specifier, layers) => houseName(specifier) && !layers.includes(houseName(specifier));
const testTools = Object.keys(readJson("package.json").devDependencies);
const problems = [];

/** What is wrong with an import, if anything. */
function objection(specifier, { folder, file, layers, declared }) {
  if (specifier.startsWith(".")) return relative(folder, join(file, "..", specifier)).startsWith("..") && "is outside";
  if (!isBuiltin(specifier) && !declared.includes(/^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0])) return "is not declared";
  return isUpward(specifier, layers) && "is not in a layer below";
}

function checkSources(folder, layers, declared) {
  const inTests = { layers: [...layers, "testkit"], declared: [...declared, ...testTools] };
  for (const path of existsSync(join(root, folder)) ? readdirSync(join(root, folder), { recursive: true }) : []) {
    if (!/\.(ts|mjs)$/.test(path) || /(^|\/)(node_modules|dist|gen)\//.test(path)) continue;
    const file = join(folder, path);
    const allowed = /\.test\.ts$|^src\/testing\//.test(path) ? inTests : { layers, declared };
    for (const { fileName } of ts.preProcessFile(readFileSync(join(root, file), "utf8")).importedFiles) {
      const why = objection(fileName, { folder, file, ...allowed });
      if (why) problems.push(`${file}: "${fileName}" ${why}`);
    }
  }
}

for (const { path } of readJson("tsconfig.build.json").references) {
  const folder = join(path, "..");
  const { dependencies = {}, peerDependencies = {} } = readJson(join(folder, "package.json"));
  const declared = Object.keys({ ...dependencies, ...peerDependencies });
  const layers = below.get(basename(folder)) ?? [];
  for (const upward of declared.filter((dependency) => isUpward(dependency, layers)))
    problems.push(`${folder}/package.json: "${upward}" is not in a layer below`);
  checkSources(folder, layers, declared);
}
for (const folder of ["test", "bench", "examples", "tools"])
  checkSources(folder, [...everything, "cli", "proxy", "testkit"], testTools);
for (const problem of problems) console.error(`layers: ${problem}`);
process.exitCode = problems.length > 0 ? 1 : 0;
