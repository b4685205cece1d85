import { expect, test } from "vitest";
import { runFailoverCampaign } from "../campaign/failover-campaign.ts";
import { electionTimeoutMs, program } from "./subject.ts";

const seed = Number(process.env.SEED ?? 1);

test(`killing leaders under load loses nothing (SEED=${seed}); more with npm run failover`, async ({ annotate }) => {
  const summary = await runFailoverCampaign({ durationMs: 10_000, seed, program, say: () => {} });
  const elections = summary.outagesMs.map((ms) => (ms / electionTimeoutMs).toFixed(1)).join(", ");
  await annotate(`${summary.operations} operations; back after ${elections} election timeouts`);
  expect(summary.kills).toBeGreaterThan(1);
  expect(summary.operations).toBeGreaterThan(100);
});
