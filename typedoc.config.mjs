// One program for all packages (the "packages" strategy compiles everything once per package, which takes a minute).
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Comment, ReflectionKind } from "typedoc";

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

/** What a member of a class says by its very name. */
const selfEvident = new Map([
  ["name", "The name of the class."],
  ["[asyncDispose]", "Ends it, for `await using`."],
  ["[dispose]", "Ends it, for `using`."],
  ["[hasInstance]", "Answers `instanceof`."],
]);

/** Adds those words, and asks for none at the fields of a literal type: what has such a type describes them. */
function describeSelfEvident(app) {
  app.converter.on("resolveEnd", ({ project }) => {
    const undescribed = Object.values(project.reflections).filter((reflection) => !reflection.hasComment());
    for (const reflection of undescribed) {
      const text = selfEvident.get(reflection.name);
      const isError = reflection.parent?.extendedTypes?.some((type) => type.name === "Error");
      if (text && (reflection.name !== "name" || isError)) reflection.comment = new Comment([{ kind: "text", text }]);
    }
    const fields = undescribed.filter(
      (reflection) => reflection.kindOf(ReflectionKind.Property) && isOfLiteral(reflection),
    );
    app.options.setValue("intentionallyNotDocumented", [
      ...new Set(fields.map((field) => field.getFriendlyFullName())),
    ]);
  });
}

/** Whether this is a field of a literal type; the types of parameters, which nobody asks to be described, aside. */
function isOfLiteral({ parent }) {
  if (!parent?.kindOf(ReflectionKind.TypeLiteral)) return false;
  for (let above = parent; above; above = above.parent) if (above.kindOf(ReflectionKind.Parameter)) return false;
  return true;
}

export default {
  name: "Conclave",
  entryPoints: packages.map(({ entryPoint }) => entryPoint),
  tsconfig: "tsconfig.json",
  plugin: [nameModules, describeSelfEvident],
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
