/** @module The documentation as a whole: its links lead somewhere, its commands are commands, and it forgets no package. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { missingLine, shellBlocks } from "./guides/shell-block.ts";
import { repository } from "./guides/site.ts";

const generated = /(^|\/)(node_modules|dist|api|\.git)(\/|$)/;

/** Every page in the repository, by its path from the root. */
const pages = readdirSync(repository, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".md") && !generated.test(path))
  .toSorted();

function read(path: string): string {
  return readFileSync(join(repository, path), "utf8");
}

/** The targets of a page's links, those in its examples aside. */
function linksOf(page: string): readonly string[] {
  const prose = read(page)
    .replaceAll(/^ *```[\s\S]*?^ *```$/gm, "")
    .replaceAll(/`[^`\n]*`/g, "");
  return Array.from(prose.matchAll(/\]\(([^)\s]+)\)/g), ([, target = ""]) => target);
}

/** What links to headings of a page call them. */
function anchorsOf(page: string): readonly string[] {
  return Array.from(page.matchAll(/^#+ (.*)$/gm), ([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("the documentation", () => {
  test.each(pages)("%s links to what is there", (page) => {
    for (const link of linksOf(page).filter((target) => !/^[a-z]+:/.test(target))) {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : relative(repository, join(repository, dirname(page), path));
      expect(existsSync(join(repository, target)), `${link} in ${page}`).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(read(target)), `${link} in ${page}`).toContain(anchor);
    }
  });

  test("has a test for every page with commands, and no command that is none", () => {
    const tests = readdirSync(join(repository, "test/e2e/guides")).filter((path) => path.endsWith(".test.ts"));
    const sources = tests.map((path) => read(join("test/e2e/guides", path))).join("\n");
    for (const page of pages.filter((path) => path.startsWith("docs/"))) {
      const blocks = shellBlocks(read(page));
      if (blocks.some(({ skip }) => skip === undefined)) expect(sources).toContain(`describeGuide("${page}")`);
      for (const { code, line } of blocks.filter(({ skip }) => skip !== undefined)) {
        const { stderr } = spawnSync("bash", ["-n", "-c", code], { encoding: "utf8" });
        expect(stderr, `${page}, line ${line}`).toBe("");
      }
    }
  });

  test("names every package at the top and in the architecture", () => {
    const readme = read("README.md");
    const architecture = read("docs/ARCHITECTURE.md");
    for (const manifest of pages.filter((path) => /^packages\/.*README\.md$/.test(path))) {
      const folder = dirname(manifest);
      expect(readme).toContain(`](${folder})`);
      expect(architecture, folder).toMatch(new RegExp(`\\b${folder.split("/").at(-1)}\\b`));
    }
  });
});

describe("a block of a guide", () => {
  const page = [
    "# Title",
    '```sh on="m1 m2" needs="curl openssl"',
    "one",
    "```",
    "",
    "```text",
    "a … c",
    "```",
    '```sh skip="needs root"',
    "two",
    "```",
  ].join("\n");

  test("says where it runs, what it needs and what it prints", () => {
    expect(shellBlocks(page)).toMatchObject([
      { line: 3, code: "one\n", machines: ["m1", "m2"], needs: ["curl", "openssl"], output: ["a … c"], fails: false },
      { line: 10, code: "two\n", machines: ["m1"], skip: "needs root", output: [] },
    ]);
    expect(() => shellBlocks("```sh sikp\n```")).toThrow('line 2: "sikp" is no word for a block');
  });

  test("is held to the lines that it must print", () => {
    expect(missingLine("x\na   b c d", ["a … c", "x"])).toBeUndefined();
    expect(missingLine("x\nc b a", ["x", "a … c"])).toBe("a … c");
  });
});
