/** @module What a user installs: every public package as a tarball, in a project of its own. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPackedProject, otherNode, otherNodeAbsence, type PackedProject, run } from "./packed/packed-project.ts";

const root = join(import.meta.dirname, "..", "..");

/** What the program prints. */
const consumed = `client hello
keyspace ada
renewer true
lock true
election undefined
counter 1
topic object
`;

describe("the packages as tarballs", { timeout: 240_000 }, () => {
  let project: PackedProject;

  beforeAll(() => {
    project = createPackedProject();
  }, 240_000);
  afterAll(() => project?.[Symbol.dispose]());

  test("hold what they should and no more", () => {
    expect(project.tarballs.length).toBeGreaterThan(20);
    for (const { name, paths } of project.tarballs) {
      expect(paths, name).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json"]));
      const strays = paths.filter((path) => /\.test\.|\.live\.|\/testing\/|\/testdata\/|\.tsbuildinfo$/.test(path));
      expect(strays, name).toEqual([]);
      const { license, engines, exports = {}, dependencies = {} } = project.manifest(name);
      expect({ license, engines }, name).toEqual({ license: "Apache-2.0", engines: { node: ">=20.19" } });
      expect(Object.values(dependencies).join(), name).not.toMatch(/workspace:|file:|link:/);
      const targets = Object.values(exports).flatMap((conditions) => Object.values(conditions));
      expect(
        Object.values(exports).every((each) => "types" in each && "default" in each),
        name,
      ).toBe(true);
      expect(
        targets.filter((target) => !paths.includes(target.replace(/^\.\//, ""))),
        name,
      ).toEqual([]);
    }
  });

  test("have maps that lead to their sources", () => {
    for (const { name, paths } of project.tarballs) {
      const [packed, here] = [project.directory, root].map((directory) => join(directory, "node_modules", name));
      const sources = paths
        .filter((path) => path.endsWith(".map"))
        .flatMap((path) => {
          const map = JSON.parse(readFileSync(join(packed ?? "", path), "utf8")) as {
            readonly sources: readonly string[];
          };
          return map.sources.map((source) => join(dirname(path), source));
        });
      expect(sources.length, name).toBeGreaterThan(0);
      // A build leaves behind what it made of sources that are gone by now: a fresh clone has none of that.
      const known = sources.filter((source) => existsSync(join(here ?? "", source)));
      expect(
        known.filter((source) => !existsSync(join(packed ?? "", source))),
        name,
      ).toEqual([]);
    }
  });

  test("export by their names what they do here, with nothing but what they say they depend on", () => {
    const names = project.tarballs.map(({ name }) => name);
    const here = run(process.execPath, [join(import.meta.dirname, "packed", "import-all.mjs"), ...names], root);
    expect(JSON.parse(project.node("import-all.mjs", ...names))).toEqual(JSON.parse(here));
  });

  test("compile into a strict program that runs", () => {
    const compilerOptions = {
      target: "es2023",
      lib: ["es2023", "esnext.disposable"],
      module: "nodenext",
      strict: true,
      types: ["node"],
    };
    const all = join(project.directory, "all.ts");
    const specifiers = project.tarballs.flatMap(({ name }) =>
      Object.keys(project.manifest(name).exports ?? {}).map((path) => join(name, path)),
    );
    // Without it the declarations that the program does not touch would not be checked.
    writeFileSync(all, specifiers.map((specifier) => `export type {} from "${specifier}";`).join("\n"));
    const config = { compilerOptions, files: ["consumer.ts", "all.ts"] };
    writeFileSync(join(project.directory, "tsconfig.json"), JSON.stringify(config));
    project.node(join(root, "node_modules", "typescript", "bin", "tsc"), "-p", ".");
    expect(project.node("consumer.js", "data")).toBe(consumed);
  });

  describe.each([22, 24])("on Node %i", (line) => {
    const absent = otherNodeAbsence(line);

    test.skipIf(absent !== undefined)(`export and do the same${absent === undefined ? "" : ` (${absent})`}`, () => {
      const there = (...args: readonly string[]) => run(otherNode(line), args, project.directory);
      const names = project.tarballs.map(({ name }) => name);
      expect(there("--version")).toMatch(`v${line}.`);
      expect(there("import-all.mjs", ...names)).toBe(project.node("import-all.mjs", ...names));
      expect(there("consumer.js", `data-${line}`)).toBe(consumed);
    });
  });
});
