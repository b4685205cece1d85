import { expect, test } from "vitest";
import { runCrashCampaign } from "../campaign/crash-campaign.ts";

const seed = Number(process.env.SEED ?? 1);

test(`a member killed under load loses nothing it acknowledged (SEED=${seed}); more with npm run crash`, async () => {
  const summary = await runCrashCampaign({ kills: 5, seed, say: () => {} });
  expect(summary).toMatchObject({ kills: 5, comparisons: 1 });
  expect(summary.acknowledged).toBeGreaterThan(50);
});
