import type { CommandGroup } from "../command.ts";
import { checkDatascaleCommand } from "./check-datascale.ts";
import { checkPerfCommand } from "./check-perf.ts";

/** `check`: commands that put a load on a cluster to see how it bears it. */
export const checkGroup: CommandGroup = {
  name: "check",
  description: "put a load on the cluster and show how it bears it",
  commands: [checkDatascaleCommand, checkPerfCommand],
};
