/** @module T11: the event loop that should renew the lease of a lock is blocked for longer than the lease lives. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { startMemberProcess } from "@conclave/testkit";
import { expect, test } from "vitest";

const program = join(import.meta.dirname, "blocked-holder.mjs");

test("T11: a blocked event loop loses no lock that a thread renews, unless it is blocked for longer than it may", async () => {
  await using member = await startMemberProcess();
  const { stdout } = await promisify(execFile)(process.execPath, [program, member.endpoint], { timeout: 60_000 });
  expect(JSON.parse(stdout)).toEqual({
    // The naive lock is taken for held though it is gone.
    firstLook: { renewed: true, hung: false, plain: false, naive: true },
    writes: { renewed: "done", hung: "OWNERSHIP_LOST", plain: "OWNERSHIP_LOST" },
    naiveKey: "gone",
  });
});
