/** @module A page of the documentation as a test: every block is run, in the order of the page. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import { type ShellBlock, shellBlocks } from "./shell-block.ts";
import { repository, Site } from "./site.ts";

/** Runs the shell blocks of a page, but for those that it marks with `skip`. After a failure the rest is skipped. */
export function describeGuide(page: string): void {
  const text = readFileSync(join(repository, page), "utf8");
  describe(page, () => {
    let site: Site;
    let failed = false;
    beforeAll(async () => {
      site = await Site.open(text);
    });
    afterAll(() => site[Symbol.asyncDispose]());

    for (const block of shellBlocks(text).filter(({ skip }) => skip === undefined)) {
      test(titleOf(block), async ({ skip }) => {
        skip(failed, "a block before it failed");
        const absent = block.needs.find((program) => spawnSync("which", [program]).status !== 0);
        skip(absent !== undefined, `${absent} is not installed`);
        failed = true;
        await site.run(block);
        failed = false;
      });
    }
  });
}

function titleOf({ line, code }: ShellBlock): string {
  return `line ${line}: ${code.split("\n", 1)[0]}`;
}
