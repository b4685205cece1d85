/**
 * @module Reads a member's configuration from the three places an operator can put it, as etcd does: a flag beats the
 * environment; with `--config-file` the file alone counts.
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { parse as parseYaml } from "yaml";
import { type MemberConfig, parseMemberConfig } from "./config.ts";
import { MemberError } from "./member-error.ts";

type OptionKey = keyof MemberConfig;

/** Every option by its key in the configuration, with what `--help` says of it. */
const descriptions: { readonly [K in OptionKey]-?: string } = {
  name: "Human-readable name of this member.",
  dataDir: "Directory of the data (default: NAME.etcd).",
  walDir: "Directory of the write-ahead log (default: member/wal in the data directory).",
  listenPeerUrls: "Comma-separated URLs to listen on for peers.",
  listenClientUrls: "Comma-separated URLs to listen on for clients.",
  initialAdvertisePeerUrls: "Comma-separated peer URLs of this member that the others are told.",
  advertiseClientUrls: "Comma-separated client URLs of this member that clients are told.",
  initialCluster: "Members of the cluster, as NAME=URL pairs separated by commas. Counts while there is no data.",
  initialClusterState: "Whether the cluster is 'new' or 'existing'.",
  initialClusterToken: "Token that tells clusters apart which are founded alike.",
  strictReconfigCheck: "Refuse changes of the membership that would leave too few started members.",
  preVote: "Ask whether an election could be won before calling one.",
  forceNewCluster: "Start as a cluster of one on this member's data, when the majority is lost for good.",
  maxLearners: "Most learners in the cluster; the same for all members.",
  maxClusterVersion: "Highest version the cluster may agree on, such as 3.5 (default: the highest all members speak).",
  snapshotCount: "Applied entries between two snapshots of the log.",
  snapshotCatchupEntries: "Entries kept in memory behind a snapshot, for members that are a little behind.",
  maxSnapshots: "Without effect: nothing is kept that is not needed.",
  maxWals: "Without effect: nothing is kept that is not needed.",
  initialElectionTickAdvance: "Let most of the first election timeout pass at once when the member starts.",
  experimentalEnableLeaseCheckpoint: "Replicate the time that long leases have left.",
  experimentalEnableLeaseCheckpointPersist:
    "Keep that time in the store also while the cluster's version is below 3.6.",
  heartbeatInterval: "Milliseconds between heartbeats.",
  electionTimeout: "Milliseconds without a leader before an election.",
  quotaBackendBytes: "Size of the store at which writes are refused (0: 2 GiB; negative: no limit).",
  backendBatchInterval: "Longest time before applied state is written to the store.",
  backendBatchLimit: "Operations at which applied state is written to the store at once.",
  maxTxnOps: "Most operations in a transaction.",
  maxRequestBytes: "Largest request, in bytes.",
  maxConcurrentStreams: "Most streams a client may have open on one connection.",
  grpcKeepaliveMinTime: "Shortest interval at which clients may ping.",
  grpcKeepaliveInterval: "Interval at which idle connections are pinged (0: never).",
  grpcKeepaliveTimeout: "Time after which a connection that answers no ping is closed.",
  watchProgressNotifyInterval: "Interval of progress notifications of watches.",
  compactionBatchLimit: "Revisions deleted in one step of a compaction.",
  compactionSleepInterval: "Pause between two steps of a compaction.",
  logLevel: "Least level of log lines: debug, info, warn, error, panic or fatal.",
  logOutputs: "Comma-separated outputs of the log: default, stdout, stderr or file names.",
  unsafeNoFsync: "Never sync to disk. Acknowledged writes are lost by a power failure.",
};
const keys = Object.keys(descriptions) as OptionKey[];
const booleanKeys: ReadonlySet<OptionKey> = new Set<OptionKey>([
  "strictReconfigCheck",
  "preVote",
  "forceNewCluster",
  "initialElectionTickAdvance",
  "experimentalEnableLeaseCheckpoint",
  "experimentalEnableLeaseCheckpointPersist",
  "unsafeNoFsync",
]);

function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function environmentName(key: string): string {
  return `ETCD_${flagName(key).slice(2).toUpperCase().replaceAll("-", "_")}`;
}

/** What a command line asks for. */
export type CommandLine =
  | { readonly kind: "run"; readonly config: MemberConfig; readonly warnings: readonly string[] }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" };

/** What was given, before it is checked: each value with the name under which the operator knows it. */
type Given = Partial<Record<OptionKey, { readonly value: unknown; readonly source: string }>>;

/**
 * Reads the configuration of a member.
 *
 * @param args - the arguments after the program's name
 * @param environment - the environment; only `ETCD_*` is looked at
 * @throws MemberError `CONFIG`, with one line that names the option and the value
 */
export function readCommandLine(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): CommandLine {
  const program = createProgram();
  try {
    program.parse(args.map(toLongFlag), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { kind: "help", text: program.helpInformation() };
    throw new MemberError(
      "CONFIG",
      error.message
        .replace(/^error: /, "")
        .replace(/\.$/, "")
        .replaceAll("\n", " "),
    );
  }
  const options = program.opts<Record<string, unknown>>();
  if (options.version === true) return { kind: "version" };
  const configFile = (options.configFile as string | undefined) ?? environment.ETCD_CONFIG_FILE ?? "";
  const warnings: string[] = [];
  const given = configFile === "" ? fromFlagsAndEnvironment(options, environment, warnings) : fromFile(configFile);
  if (configFile !== "" && args.length > 2)
    warnings.push("the configuration file alone counts: other flags and the environment are ignored");
  return { kind: "run", config: check(given), warnings };
}

/** Go's flag package takes one dash as well as two. */
function toLongFlag(argument: string): string {
  return /^-[a-z][a-z-]+/.test(argument) ? `-${argument}` : argument;
}

function createProgram(): Command {
  const program = new Command("conclave")
    .description("Starts a member of a Conclave cluster.")
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .allowExcessArguments(false)
    .option("--config-file <path>", "YAML file with the configuration; other flags and the environment are ignored")
    .option("--version", "Print the version and exit");
  for (const key of keys) {
    const value = booleanKeys.has(key) ? "[true|false]" : "<value>";
    program.addOption(new Option(`${flagName(key)} ${value}`, descriptions[key]));
  }
  return program;
}

function fromFlagsAndEnvironment(
  options: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
  warnings: string[],
): Given {
  const given: Given = {};
  for (const key of keys) {
    const flagValue = options[key];
    const environmentValue = environment[environmentName(key)];
    if (flagValue !== undefined) given[key] = { value: flagValue === true ? "true" : flagValue, source: flagName(key) };
    else if (environmentValue !== undefined && environmentValue !== "")
      given[key] = { value: environmentValue, source: environmentName(key) };
  }
  const known = new Set([...keys.map(environmentName), "ETCD_CONFIG_FILE"]);
  for (const name of Object.keys(environment)) {
    if (name.startsWith("ETCD_") && !known.has(name)) warnings.push(`unrecognized environment variable ${name}`);
  }
  return given;
}

function fromFile(path: string): Given {
  let document: unknown;
  try {
    document = parseYaml(readFileSync(path, "utf8"));
  } catch (error) {
    throw new MemberError(
      "CONFIG",
      `Cannot read the configuration file '${path}': ${(error as Error).message.split("\n")[0]}`,
      { cause: error },
    );
  }
  if (document === null) return {};
  if (typeof document !== "object" || Array.isArray(document)) {
    throw new MemberError(
      "CONFIG",
      `Cannot read the configuration file '${path}': it must hold a mapping of options to values`,
    );
  }
  const given: Given = {};
  for (const [name, value] of Object.entries(document)) {
    const key = keys.find((candidate) => flagName(candidate) === `--${name}`);
    if (key === undefined)
      throw new MemberError("CONFIG", `Unknown option '${name}' in the configuration file '${path}'`);
    if (value !== null)
      given[key] = { value: Array.isArray(value) ? value.map(String) : value, source: `'${name}' in ${path}` };
  }
  return given;
}

function check(given: Given): MemberConfig {
  const input = Object.fromEntries(Object.entries(given).map(([key, { value }]) => [key, value]));
  const config = parseMemberConfig(input, (key) => given[key as OptionKey]?.source ?? flagName(key));
  if (given.listenClientUrls !== undefined && given.advertiseClientUrls === undefined) {
    throw new MemberError("CONFIG", "--advertise-client-urls is required when --listen-client-urls is set explicitly");
  }
  return config;
}
