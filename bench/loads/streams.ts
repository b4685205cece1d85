import { runGenerator } from "../generator.ts";
import type { Load } from "../load.ts";

/** The loads of streams. */
export const streamLoads: readonly Load[] = [
  { name: "watch-1000", unit: "events/s", better: "higher", measure: ({ url }) => runGenerator("watch", url) },
  { name: "lease-10000", unit: "keep-alives/s", better: "higher", measure: ({ url }) => runGenerator("lease", url) },
];
