import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createLessor, type Lessor } from "./lessor.ts";
import { mapBackend } from "./testing/map-backend.ts";

/** Runs the commands of one script; each gives one line. */
function interpreter(): (command: string) => string {
  const backend = mapBackend();
  const open = (): Lessor => createLessor({ backend, minTtlSec: 2 });
  let lessor = open();
  let nowMs = 0;
  const commands: Record<string, (id: bigint, word: string, option: number) => unknown> = {
    grant: (id, _word, ttl) => `granted ttl=${lessor.grant({ id, ttlSec: BigInt(ttl), nowMs }).ttlSec}`,
    renew: (id) => {
      const { ttlSec, resetCheckpoint } = lessor.renew(id, nowMs);
      return `renewed ttl=${ttlSec}${resetCheckpoint ? " reset the checkpoint" : ""}`;
    },
    ttl: (id) => {
      const { remainingSec, grantedTtlSec } = lessor.timeToLive(id, nowMs);
      return `${remainingSec} of ${grantedTtlSec}`;
    },
    attach: (id, key) => lessor.attach(id, key),
    detach: (id, key) => lessor.detach(id, key),
    keys: (id) => lessor.keysOf(id),
    revoking: (id) => lessor.markRevoking(id),
    unmark: (id) => lessor.unmarkRevoking(id),
    revoke: (id) => lessor.revoke(id),
    checkpoint: (id, _word, remaining) => lessor.checkpoint({ ID: id, remainingTTL: remaining }, nowMs),
    leases: () => lessor.leases(),
    expired: () => lessor.expired(nowMs, 100),
    checkpoints: () =>
      lessor.dueCheckpoints(nowMs, 100).map(({ ID, remainingTTL }) => `${ID} remaining=${remainingTTL}`),
    promote: (_id, _word, extend) => lessor.promote(nowMs, extend * 1_000),
    demote: () => lessor.demote(),
    restart: () => {
      lessor = open();
    },
    tick: (seconds) => {
      nowMs += Number(seconds) * 1_000;
    },
  };
  return (command) => {
    const [name = "", first = "", second = ""] = command.split(" ");
    const id = /^-?\d+$/.test(first) ? BigInt(first) : 0n;
    try {
      const option = Number(/=(\d+)/.exec(command)?.[1] ?? 0);
      const output = commands[name]?.(id, second, option) ?? "ok";
      return Array.isArray(output) ? `(${output.join(" ")})` : String(output);
    } catch (error) {
      return `${(error as { code?: string }).code}`;
    }
  };
}

const directory = new URL("./testdata/", import.meta.url);

test.each(readdirSync(directory))("%s", async (name) => {
  const path = new URL(name, directory).pathname;
  const run = interpreter();
  const blocks = readFileSync(path, "utf8").trimEnd().split(/\n\n+/);
  const rendered = blocks.map((block) => {
    const head = block.slice(0, block.indexOf("\n----"));
    return `${head}\n----\n${run(head.slice(head.lastIndexOf("\n") + 1))}`;
  });
  await expect(`${rendered.join("\n\n")}\n`).toMatchFileSnapshot(path);
});
