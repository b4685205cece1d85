import { emptyBytes } from "@conclave/base";
import { emptyConfState } from "./configuration.ts";
import type { Snapshot } from "./types.ts";

/** The snapshot of a member that has none: the state before the first entry. */
export const emptySnapshot: Snapshot = {
  data: emptyBytes,
  metadata: { index: 0, term: 0, confState: emptyConfState },
};
