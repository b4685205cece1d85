import { namespacesAbsence, startCluster } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { runFailoverCampaign } from "../campaign/failover-campaign.ts";
import { KvWorkload } from "../campaign/kv-workload.ts";
import { electionTimeoutMs, hashesOf, program } from "./subject.ts";

const seed = Number(process.env.SEED ?? 1);

const absent = namespacesAbsence();

describe.each([
  { network: "loopback", where: "on loopback", skip: false },
  { network: "namespaces", where: `in namespaces ${absent ?? ""}`, skip: absent !== undefined },
] as const)("killing leaders under load $where", ({ network, skip }) => {
  test.skipIf(skip)(`loses nothing (SEED=${seed}); more with npm run failover`, async ({ annotate }) => {
    const summary = await runFailoverCampaign({ durationMs: 10_000, seed, program, network, say: () => {} });
    const elections = summary.outagesMs.map((ms) => (ms / electionTimeoutMs).toFixed(1)).join(", ");
    await annotate(`${summary.operations} operations; back after ${elections} election timeouts`);
    expect(summary.kills).toBeGreaterThan(1);
    expect(summary.operations).toBeGreaterThan(100);
  });
});

test("killing all members at once under load loses nothing", async () => {
  await using cluster = await startCluster(program);
  await using workload = new KvWorkload({ endpoints: cluster.endpoints, seed });
  for (let round = 0; round < 2; round++) {
    await workload.serves(100);
    workload.nextRound();
    await Promise.all(cluster.members.map((member) => member.kill()));
    await Promise.all(cluster.members.map((member) => member.restart({ until: "launched" })));
    await cluster.waitForLeader({ among: cluster.members });
  }
  await workload.serves();
  expect(await workload.verify()).toBeGreaterThan(200);
  const hashes = await hashesOf(cluster.members);
  expect(new Set(hashes).size, `HashKV of ${hashes}`).toBe(1);
});
