/** @module Options of the cluster: who is in it and by which rules, and how its history is compacted. */
import { z } from "zod";
import { parseRetention } from "../auto-compaction/retention.ts";
import { option, type Section, toggle } from "./field.ts";
import { oneOf, parseDurationMs, text } from "./scalars.ts";
import { advertisedUrls } from "./urls.ts";

/** Options of the cluster. */
export interface ClusteringOptions {
  /** Peer URLs that the other members are told; a new member's id follows from them. Default `http://localhost:2380`. */
  readonly initialAdvertisePeerUrls: readonly string[];
  /** Members of a new cluster as `name=url` pairs separated by commas. Default: this member alone. */
  readonly initialCluster: string;
  /** Whether the cluster is founded or exists. Default `new`. */
  readonly initialClusterState: "new" | "existing";
  /** Tells clusters apart that are founded alike. Default `etcd-cluster`. */
  readonly initialClusterToken: string;
  /** Client URLs that clients are told. Default `http://localhost:2379`. */
  readonly advertiseClientUrls: readonly string[];
  /** Refuse changes of the membership that would leave too few started members. Default true. */
  readonly strictReconfigCheck: boolean;
  /** Ask whether an election could be won before one is called, so that none is called in vain. Default true. */
  readonly preVote: boolean;
  /**
   * The highest version that the cluster may agree on, such as `3.5` while members of that version are to join it.
   * Empty: the highest that all members speak. Default empty.
   */
  readonly maxClusterVersion: string;
  /**
   * How much history is kept: with mode `periodic` a duration, or a number of hours; with mode `revision` a number of
   * revisions. `0`: nothing is compacted by itself. Default `0`.
   */
  readonly autoCompactionRetention: string;
  /** What {@link ClusteringOptions.autoCompactionRetention} counts. Default `periodic`. */
  readonly autoCompactionMode: "periodic" | "revision";
  /** Taken for etcd's sake: there is no v2 store to be rid of. Default `gone`. */
  readonly v2Deprecation: "not-yet" | "write-only" | "write-only-drop-data" | "gone";
}

/** The section of the cluster. */
export const clusteringSection: Section<ClusteringOptions> = {
  title: "Clustering",
  fields: {
    initialAdvertisePeerUrls: option(advertisedUrls, {
      fallback: ["http://localhost:2380"],
      help: "Comma-separated peer URLs of this member that the others are told.",
    }),
    initialCluster: option(text, {
      fallback: "",
      fallbackText: "NAME=URLs of --initial-advertise-peer-urls",
      help: "Members of the cluster, as NAME=URL pairs separated by commas. Counts while there is no data.",
    }),
    initialClusterState: option(oneOf(["new", "existing"]), {
      fallback: "new",
      help: "Whether the cluster is 'new' or 'existing'. Counts while there is no data.",
    }),
    initialClusterToken: option(text, {
      fallback: "etcd-cluster",
      help: "Token that tells clusters apart which are founded alike.",
    }),
    advertiseClientUrls: option(advertisedUrls, {
      fallback: ["http://localhost:2379"],
      help: "Comma-separated client URLs of this member that clients are told.",
    }),
    strictReconfigCheck: toggle({
      fallback: true,
      help: "Refuse changes of the membership that would leave too few started members.",
    }),
    preVote: toggle({ fallback: true, help: "Ask whether an election could be won before calling one." }),
    maxClusterVersion: option(
      z
        .string()
        .regex(/^(3\.[456](\.0)?)?$/, "must be 3.4, 3.5 or 3.6")
        .transform((version) => (version === "" ? "" : `${version.slice(0, 3)}.0`)),
      { fallback: "", help: "Highest version the cluster may agree on, such as 3.5 (empty: the highest all speak)." },
    ),
    autoCompactionRetention: option(
      z.union([z.string(), z.number().transform(String)], { error: "must be a number or a duration" }),
      {
        fallback: "0",
        help: "History that is kept: a duration or hours for mode 'periodic', revisions for mode 'revision' (0: all).",
      },
    ),
    autoCompactionMode: option(oneOf(["periodic", "revision"]), {
      fallback: "periodic",
      help: "What --auto-compaction-retention counts: 'periodic' or 'revision'.",
    }),
    v2Deprecation: option(oneOf(["not-yet", "write-only", "write-only-drop-data", "gone"]), {
      fallback: "gone",
      help: "Without effect: there is no v2 store.",
      unused: "there is no v2 store",
    }),
  },
  check({ autoCompactionMode, autoCompactionRetention }) {
    parseRetention(autoCompactionMode, autoCompactionRetention, parseDurationMs);
  },
};
