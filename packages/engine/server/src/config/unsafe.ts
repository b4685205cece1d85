/** @module Options that give up what a member otherwise guarantees. */
import { type Section, toggle } from "./field.ts";

/** Options that give up what a member otherwise guarantees. */
export interface UnsafeOptions {
  /** Start as a cluster of one on the data of a member whose cluster has lost its majority for good. Default false. */
  readonly forceNewCluster: boolean;
  /** Never sync to disk: a power failure then loses acknowledged writes. Default false. */
  readonly unsafeNoFsync: boolean;
}

/** The section of options that give up what a member otherwise guarantees. */
export const unsafeSection: Section<UnsafeOptions> = {
  title: "Unsafe feature",
  fields: {
    forceNewCluster: toggle({
      fallback: false,
      help: "Start as a cluster of one on this member's data, when the majority is lost for good.",
    }),
    unsafeNoFsync: toggle({
      fallback: false,
      help: "Never sync to disk. Acknowledged writes are lost by a power failure.",
    }),
  },
};
