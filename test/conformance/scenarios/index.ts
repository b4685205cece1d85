import type { Scenario } from "../scenario.ts";
import { authScenarios } from "./auth.ts";
import { compactScenarios } from "./compact.ts";
import { concurrencyScenarios } from "./concurrency.ts";
import { leaseScenarios } from "./lease.ts";
import { maintenanceScenarios } from "./maintenance.ts";
import { putScenarios } from "./put.ts";
import { rangeScenarios } from "./range.ts";
import { txnScenarios } from "./txn.ts";
import { watchScenarios } from "./watch.ts";

/** Every scenario there is, by topic. */
export const scenarios: Readonly<Record<string, readonly Scenario[]>> = {
  "KV.Range": rangeScenarios,
  "KV.Put and KV.DeleteRange": putScenarios,
  "KV.Txn": txnScenarios,
  "KV.Compact": compactScenarios,
  Watch: watchScenarios,
  Lease: leaseScenarios,
  "Lock and Election": concurrencyScenarios,
  Auth: authScenarios,
  "Maintenance, Cluster and transport": maintenanceScenarios,
};
