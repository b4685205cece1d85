import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..");

/** Runs the tour with a temporary directory of its own, so that what it leaves behind is seen. */
async function runTour(script: string): Promise<{ status: number | null; output: string; left: readonly string[] }> {
  const directory = await mkdtemp(join(tmpdir(), "conclave-tour-test-"));
  try {
    const tour = spawn(process.execPath, ["--import", "tsx", script], {
      cwd: root,
      env: { ...process.env, TMPDIR: directory },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [tour.stdout, tour.stderr]) stream.on("data", (data) => (output += String(data)));
    const [status] = (await once(tour, "close")) as [number | null];
    // tsx keeps its cache of compiled sources in the temporary directory.
    const left = (await readdir(directory)).filter((name) => !name.startsWith("tsx"));
    return { status, output, left };
  } finally {
    await rm(directory, { recursive: true });
  }
}

test("the tour does what it says, within a minute, and leaves nothing behind", { timeout: 120_000 }, async () => {
  const startedMs = performance.now();
  const { status, output, left } = await runTour("examples/tour/main.ts");
  expect(output).toContain("All 6 steps did what they said.");
  expect(status).toBe(0);
  expect(left).toEqual([]);
  expect(performance.now() - startedMs).toBeLessThan(60_000);
});
