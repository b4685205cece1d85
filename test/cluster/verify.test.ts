import { Readable } from "node:stream";
import { runConclavectl } from "@conclave/cli";
import { type Client, prefix } from "@conclave/client";
import { startCluster } from "@conclave/testkit";
import { expect, test } from "vitest";
import { clientOf, program } from "./subject.ts";

/** Runs `conclavectl verify` in this process. */
async function verify(...args: readonly string[]): Promise<{ readonly exit: number; readonly report: unknown }> {
  let out = "";
  const exit = await runConclavectl({
    args: ["verify", "-w=json", ...args],
    env: {},
    stdin: Readable.from([]),
    out: (text) => {
      out += String(text);
    },
    err: () => {},
    interruption: () => new AbortController().signal,
  });
  return { exit, report: JSON.parse(out) };
}

/** Waits until the run has begun. */
async function untilWritten(client: Client): Promise<void> {
  await using events = client.watch(prefix("verify/"), { from: "snapshot" });
  for await (const { revision } of events) if (revision > 20) return;
}

test("conclavectl verify judges a cluster whose leader is killed meanwhile, and finds nothing broken", async () => {
  await using cluster = await startCluster(program);
  await using client = clientOf(...cluster.members);
  const running = verify(
    "--prefix=verify/",
    "--duration=7s",
    "--command-timeout=2s",
    `--endpoints=${cluster.endpoints.join(",")}`,
  );
  await Promise.race([running, untilWritten(client)]);
  const leader = await cluster.waitForLeader();
  await leader.kill();
  const { exit, report } = await running;
  expect(report).toMatchObject({ verdict: "holds", isTidy: true });
  expect(exit).toBe(0);
  const { operations, watches } = report as {
    operations: { answered: number };
    watches: readonly { events: number; resumed: number }[];
  };
  expect(operations.answered).toBeGreaterThan(50);
  // One at each member, the killed one's went on elsewhere, and one that is cut off all the time: all saw the same.
  expect(watches).toHaveLength(4);
  expect(new Set(watches.map((watch) => watch.events)).size).toBe(1);
  expect(watches.at(-1)?.resumed).toBeGreaterThan(1);
});
