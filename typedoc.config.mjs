// One program for all packages (the "packages" strategy compiles everything once per package, which takes a minute).
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = import.meta.dirname;
const groups = ["base", "engine", "sdk", "apps"];
const folders = groups.flatMap((group) => readdirSync(join(root, "packages", group)).map((name) => join(group, name)));
const packages = [...folders, "testkit"].map((folder) => ({
  entryPoint: `packages/${folder}/src/index.ts`,
  module: `${folder}/src`,
  name: JSON.parse(readFileSync(join(root, "packages", folder, "package.json"), "utf8")).name,
}));

/** Modules are called by their package's name, not by their path. */
function nameModules(app) {
  app.converter.on("createDeclaration", (_context, reflection) => {
    const found = packages.find(({ module }) => module === reflection.name);
    if (found) reflection.name = found.name;
  });
}

export default {
  name: "Conclave",
  entryPoints: packages.map(({ entryPoint }) => entryPoint),
  tsconfig: "tsconfig.json",
  plugin: [nameModules],
  readme: "none",
  exclude: ["**/src/gen/**"],
  packagesRequiringDocumentation: packages.map(({ name }) => name),
  validation: { notDocumented: true, invalidLink: true, notExported: false },
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
  disableSources: true,
  hideGenerator: true,
  out: "docs/api",
};
