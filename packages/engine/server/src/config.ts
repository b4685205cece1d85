/**
 * @module The configuration of a member: one schema for flags, environment, configuration file and embedders. Texts
 * (from the first three) and native values (from embedders) are both taken.
 */
import { isIP } from "node:net";
import { z } from "zod";
import { MemberError } from "./member-error.ts";

const mebibyte = 1024 * 1024;

function wholeNumber(range: { readonly min: number; readonly max?: number }): z.ZodType<number, number | string> {
  const max = range.max ?? Number.MAX_SAFE_INTEGER;
  const wanted =
    range.max === undefined ? `a whole number from ${range.min}` : `a whole number from ${range.min} to ${max}`;
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^-?\d+$/)
          .transform(Number),
      ],
      { error: `must be ${wanted}` },
    )
    .refine((value) => Number.isSafeInteger(value) && value >= range.min && value <= max, {
      error: `must be ${wanted}`,
    });
}

const flag: z.ZodType<boolean, boolean | string> = z.union(
  [z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")],
  { error: "must be true or false" },
);

const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
  µs: 0.001,
  ns: 0.000_001,
};

function parseDurationMs(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(\d+(\.\d+)?(h|ms|m|s|us|µs|ns))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount = "", , unit = ""] of text.matchAll(/(\d+(\.\d+)?)(h|ms|m|s|us|µs|ns)/g))
    totalMs += Number(amount) * (unitMs[unit] ?? 0);
  return totalMs;
}

const durationMs: z.ZodType<number, number | string> = z
  .union([z.number().min(0), z.string()])
  .transform((value, context) => {
    const parsed = typeof value === "number" ? value : parseDurationMs(value);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: "custom", message: "must be a duration like 100ms, 5s or 2h" });
    return z.NEVER;
  });

const list: z.ZodType<string[], readonly string[] | string> = z.union([
  z.array(z.string()),
  z.string().transform((text) => text.split(",").filter((part) => part !== "")),
]);

/** What is wrong with a URL that members or clients are to use, or undefined. */
export function urlFault(text: string): string | undefined {
  if (text.startsWith("unix://")) return text.length > "unix://".length ? undefined : "names no socket";
  const match = /^(https?):\/\/(\[[^\]]+\]|[^/:?#\s]+)(:\d+)?(\/.*)?$/.exec(text);
  if (match === null) return "must have the form http://host:port";
  if (match[4] !== undefined) return "must not contain a path";
  const port = Number(match[3]?.slice(1));
  return match[3] === undefined || port > 65_535 ? 'does not have the form "host:port"' : undefined;
}

function urls(options: { readonly listen: boolean }): z.ZodType<string[], readonly string[] | string> {
  return list.superRefine((values, context) => {
    for (const value of values) {
      const fault = urlFault(value) ?? (options.listen ? listenFault(value) : undefined);
      if (fault !== undefined) context.addIssue({ code: "custom", message: `URL ${value} ${fault}` });
    }
  });
}

/** A listener binds to an address; a host name may resolve to several. */
function listenFault(text: string): string | undefined {
  if (text.startsWith("unix://")) return undefined;
  const host = new URL(text).hostname.replace(/^\[|\]$/g, "");
  return host === "localhost" || isIP(host) !== 0 ? undefined : "must name an IP address or localhost to listen on";
}

/** A member's configuration, complete and checked. Times are in milliseconds, sizes in bytes. */
export interface MemberConfig {
  /** Human-readable name of the member. Default `default`. */
  readonly name: string;
  /** Directory of the data. Default: `<name>.etcd` in the working directory. */
  readonly dataDir: string;
  /** Directory of the write-ahead log. Default: `member/wal` in the data directory. */
  readonly walDir: string;
  /** URLs to listen on for peers. Default `http://localhost:2380`. */
  readonly listenPeerUrls: readonly string[];
  /** URLs to listen on for clients: `http://address:port` (port 0: any that is free) or `unix://path`. Default `http://localhost:2379`. */
  readonly listenClientUrls: readonly string[];
  /** Peer URLs that the other members are told; a new member's id follows from them. Default `http://localhost:2380`. */
  readonly initialAdvertisePeerUrls: readonly string[];
  /** Client URLs that clients are told. Default `http://localhost:2379`. */
  readonly advertiseClientUrls: readonly string[];
  /** Members of a new cluster as `name=url` pairs separated by commas. Default: this member alone. */
  readonly initialCluster: string;
  /** Whether the cluster is founded or exists. Default `new`. */
  readonly initialClusterState: "new" | "existing";
  /** Tells clusters apart that are founded alike. Default `etcd-cluster`. */
  readonly initialClusterToken: string;
  /** Refuse changes of the membership that would leave too few started members. Default true. */
  readonly strictReconfigCheck: boolean;
  /** Ask whether an election could be won before one is called, so that none is called in vain. Default true. */
  readonly preVote: boolean;
  /** Start as a cluster of one on the data of a member whose cluster has lost its majority for good. Default false. */
  readonly forceNewCluster: boolean;
  /** Most learners in the cluster; all members must share it. Default 1. */
  readonly maxLearners: number;
  /**
   * The highest version that the cluster may agree on, such as `3.5` while members of that version are to join it.
   * Empty: the highest that all members speak. Default empty.
   */
  readonly maxClusterVersion: string;
  /** Applied entries between two snapshot records in the log. Default 10 000. */
  readonly snapshotCount: number;
  /** Entries kept in memory behind a snapshot, for members that are a little behind. Default 5000. */
  readonly snapshotCatchupEntries: number;
  /** Taken for etcd's sake: a received snapshot is removed as soon as it is installed. Default 5. */
  readonly maxSnapshots: number;
  /** Taken for etcd's sake: a segment of the log is removed as soon as it is not needed any more. Default 5. */
  readonly maxWals: number;
  /** Let most of the first election timeout pass at once when the member starts. Default true. */
  readonly initialElectionTickAdvance: boolean;
  /** Replicate the time that long leases have left, so that a new leader does not grant it anew. Default true. */
  readonly experimentalEnableLeaseCheckpoint: boolean;
  /** Keep that time in the store also while the cluster's version is below 3.6; needs the option above. Default false. */
  readonly experimentalEnableLeaseCheckpointPersist: boolean;
  /** Time between heartbeats. Default 100. */
  readonly heartbeatInterval: number;
  /** Time without a leader before an election, at least five heartbeats. Default 1000. */
  readonly electionTimeout: number;
  /** Size of the store at which writes are refused; 0 stands for 2 GiB, a negative one for no limit. Default 0. */
  readonly quotaBackendBytes: number;
  /** Longest time before applied state is written to the store. Default 100. */
  readonly backendBatchInterval: number;
  /** Buffered operations at which applied state is written to the store at once. Default 10 000. */
  readonly backendBatchLimit: number;
  /** Most operations, and most compares, in a transaction. Default 128. */
  readonly maxTxnOps: number;
  /** Largest request. Default 1.5 MiB. */
  readonly maxRequestBytes: number;
  /** Most streams a client may have open on one connection. Default 2^32 − 1. */
  readonly maxConcurrentStreams: number;
  /** Shortest interval at which clients may ping. Default 5000. */
  readonly grpcKeepaliveMinTime: number;
  /** Silence after which a client is pinged. Default two hours. */
  readonly grpcKeepaliveInterval: number;
  /** Time a client has to answer that ping. Default 20 000. */
  readonly grpcKeepaliveTimeout: number;
  /** Interval of progress notifications of watches that ask for them. Default ten minutes. */
  readonly watchProgressNotifyInterval: number;
  /** Revisions looked at in one step of a compaction. Default 1000. */
  readonly compactionBatchLimit: number;
  /** Pause between two steps of a compaction. Default 10. */
  readonly compactionSleepInterval: number;
  /** Least level of the lines in the log of the command `conclave`. Default `info`. */
  readonly logLevel: "debug" | "info" | "warn" | "error" | "panic" | "fatal";
  /** Outputs of that log: `default`, `stderr`, `stdout` or names of files. Default `default`. */
  readonly logOutputs: readonly string[];
  /** Never sync to disk: a power failure then loses acknowledged writes. Default false. */
  readonly unsafeNoFsync: boolean;
}

/** A member's configuration as a caller gives it: everything is optional, and texts are read as flags are. */
export type MemberConfigInput = { readonly [K in keyof MemberConfig]?: MemberConfig[K] | string | undefined };

const schema: z.ZodType<MemberConfig> = z
  .object({
    name: z.string().min(1, "must not be empty").default("default"),
    dataDir: z.string().default(""),
    walDir: z.string().default(""),
    listenPeerUrls: urls({ listen: true }).default(["http://localhost:2380"]),
    listenClientUrls: urls({ listen: true })
      .refine((all) => all.length > 0, "must name at least one URL")
      .default(["http://localhost:2379"]),
    initialAdvertisePeerUrls: urls({ listen: false }).default(["http://localhost:2380"]),
    advertiseClientUrls: urls({ listen: false }).default(["http://localhost:2379"]),
    initialCluster: z.string().default(""),
    initialClusterState: z.enum(["new", "existing"], { error: "must be new or existing" }).default("new"),
    initialClusterToken: z.string().default("etcd-cluster"),
    strictReconfigCheck: flag.default(true),
    preVote: flag.default(true),
    forceNewCluster: flag.default(false),
    maxLearners: wholeNumber({ min: 1 }).default(1),
    maxClusterVersion: z
      .string()
      .regex(/^(3\.[456](\.0)?)?$/, "must be 3.4, 3.5 or 3.6")
      .transform((text) => (text === "" ? "" : `${text.slice(0, 3)}.0`))
      .default(""),
    snapshotCount: wholeNumber({ min: 1 }).default(10_000),
    snapshotCatchupEntries: wholeNumber({ min: 1 }).default(5000),
    maxSnapshots: wholeNumber({ min: 0 }).default(5),
    maxWals: wholeNumber({ min: 0 }).default(5),
    initialElectionTickAdvance: flag.default(true),
    experimentalEnableLeaseCheckpoint: flag.default(true),
    experimentalEnableLeaseCheckpointPersist: flag.default(false),
    heartbeatInterval: wholeNumber({ min: 1 }).default(100),
    electionTimeout: wholeNumber({ min: 1, max: 50_000 }).default(1000),
    quotaBackendBytes: wholeNumber({ min: -1 }).default(0),
    backendBatchInterval: durationMs.default(100),
    backendBatchLimit: wholeNumber({ min: 0 }).default(10_000),
    maxTxnOps: wholeNumber({ min: 1 }).default(128),
    maxRequestBytes: wholeNumber({ min: 1, max: 10 * mebibyte }).default(1.5 * mebibyte),
    maxConcurrentStreams: wholeNumber({ min: 1, max: 0xffff_ffff }).default(0xffff_ffff),
    grpcKeepaliveMinTime: durationMs.default(5000),
    grpcKeepaliveInterval: durationMs.default(2 * 3_600_000),
    grpcKeepaliveTimeout: durationMs.default(20_000),
    watchProgressNotifyInterval: durationMs.default(600_000),
    compactionBatchLimit: wholeNumber({ min: 1 }).default(1000),
    compactionSleepInterval: durationMs.default(10),
    logLevel: z
      .enum(["debug", "info", "warn", "error", "panic", "fatal"], {
        error: "must be debug, info, warn, error, panic or fatal",
      })
      .default("info"),
    logOutputs: list.refine((all) => all.length > 0, "must name at least one output").default(["default"]),
    unsafeNoFsync: flag.default(false),
  })
  .strict()
  .superRefine((config, context) => {
    if (config.heartbeatInterval * 5 > config.electionTimeout) {
      const message = `must be at least 5 times the heartbeat interval of ${config.heartbeatInterval} ms`;
      context.addIssue({ code: "custom", path: ["electionTimeout"], message, input: config.electionTimeout });
    }
    if (config.experimentalEnableLeaseCheckpointPersist && !config.experimentalEnableLeaseCheckpoint) {
      const path = ["experimentalEnableLeaseCheckpointPersist"];
      context.addIssue({ code: "custom", path, message: "needs --experimental-enable-lease-checkpoint", input: true });
    }
  });

/**
 * Checks a configuration and fills in the defaults.
 *
 * @param input - what was given; an unknown option is refused
 * @param sourceOf - the name under which whoever gave an option knows it, such as its flag
 * @throws MemberError `CONFIG`, with one line that names the option and the value
 */
export function parseMemberConfig(
  input: Readonly<Record<string, unknown>>,
  sourceOf: (option: string) => string = (option) => option,
): MemberConfig {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue?.code === "unrecognized_keys") throw new MemberError("CONFIG", `Unknown option '${issue.keys.join(", ")}'`);
  const option = String(issue?.path[0] ?? "");
  throw new MemberError(
    "CONFIG",
    `Invalid value ${JSON.stringify(input[option])} for ${sourceOf(option)}: ${issue?.message}`,
  );
}

/** Where the data of a member lies. */
export interface DataPaths {
  readonly dataDir: string;
  readonly memberDir: string;
  readonly walDir: string;
}

/** The directories of a member: `<name>.etcd` in the working directory unless told otherwise. */
export function dataPaths(config: Pick<MemberConfig, "name" | "dataDir" | "walDir">): DataPaths {
  const dataDir = config.dataDir === "" ? `${config.name}.etcd` : config.dataDir;
  const memberDir = `${dataDir}/member`;
  return { dataDir, memberDir, walDir: config.walDir === "" ? `${memberDir}/wal` : config.walDir };
}

/** The quota in force: 0 stands for the default of 2 GiB, a negative one for none. */
export function effectiveQuotaBytes(quotaBackendBytes: number): number {
  if (quotaBackendBytes < 0) return Number.POSITIVE_INFINITY;
  return quotaBackendBytes === 0 ? 2 * 1024 * mebibyte : quotaBackendBytes;
}
