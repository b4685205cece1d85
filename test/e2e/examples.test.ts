/** @module Every example does what its README says, and leaves nothing behind. The tour has a test of its own. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runExample } from "./run-example.ts";

/** How the output of each example ends. */
const ends: Readonly<Record<string, RegExp>> = {
  "feature-flags": /All 6 steps did what they said\.\n$/,
  "from-etcd3": /Both say the same \d+ things\.\n$/,
  "grpc-service": /All 4 steps did what they said, and none of \d+ calls failed\.\n$/,
  "http-services": /All 5 steps did what they said, and none of \d+ requests failed\.\n$/,
  "job-queue": /Every job was done, and each result was written once\.\n$/,
  "singleton-worker": /Done: \d+ entries by 3 leaders, in the order of their fences\.\n$/,
};

test.each(Object.entries(ends))("%s", async (name, end) => {
  const { status, output, left } = await runExample(name);
  expect(output).toMatch(end);
  expect(status).toBe(0);
  expect(left).toEqual([]);
});

test("no example is left out", async () => {
  const entries = await readdir(join(import.meta.dirname, "..", "..", "examples"), { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  expect(names.sort()).toEqual([...Object.keys(ends), "tour"].sort());
});
