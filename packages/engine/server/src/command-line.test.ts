import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readCommandLine } from "./command-line.ts";
import type { MemberConfig } from "./config.ts";

function config(args: readonly string[], environment: Record<string, string> = {}): MemberConfig {
  const commandLine = readCommandLine(args, environment);
  if (commandLine.kind !== "run") throw new Error(`expected a run, got ${commandLine.kind}`);
  return commandLine.config;
}

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conclave-command-line-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function yaml(text: string): string {
  const path = join(directory, "conclave.yaml");
  writeFileSync(path, text);
  return path;
}

describe("readCommandLine()", () => {
  test("has etcd's defaults", () => {
    expect(config([])).toMatchObject({
      name: "default",
      listenClientUrls: ["http://localhost:2379"],
      listenPeerUrls: ["http://localhost:2380"],
      heartbeatInterval: 100,
      electionTimeout: 1000,
      snapshotCount: 10_000,
      maxTxnOps: 128,
      maxRequestBytes: 1_572_864,
      initialClusterState: "new",
      initialClusterToken: "etcd-cluster",
      strictReconfigCheck: true,
      preVote: true,
      forceNewCluster: false,
      maxLearners: 1,
      maxSnapshots: 5,
      maxWals: 5,
      snapshotCatchupEntries: 5000,
      initialElectionTickAdvance: true,
      experimentalEnableLeaseCheckpoint: true,
      experimentalEnableLeaseCheckpointPersist: false,
      maxClusterVersion: "",
    });
  });

  test("leaves the initial cluster to be checked when it counts: a member with data ignores it, as etcd does", () => {
    expect(config(["--initial-cluster", "nonsense"]).initialCluster).toBe("nonsense");
  });

  test("takes the highest version of the cluster with or without its patch", () => {
    expect(config(["--max-cluster-version", "3.5"]).maxClusterVersion).toBe("3.5.0");
    expect(config(["--max-cluster-version", "3.5.0"]).maxClusterVersion).toBe("3.5.0");
  });

  test.each([["--name", "a"], ["--name=a"], ["-name", "a"], ["-name=a"]])(
    "takes one dash or two, and = or a space: %s %s",
    (...args) => {
      expect(config(args).name).toBe("a");
    },
  );

  test("lets a flag beat the environment", () => {
    expect(config([], { ETCD_NAME: "environment" }).name).toBe("environment");
    expect(config(["--name", "flag"], { ETCD_NAME: "environment" }).name).toBe("flag");
  });

  test("lets the configuration file alone count", () => {
    const path = yaml("name: file\nheartbeat-interval: 50\nlog-outputs: [stdout]\n");
    const commandLine = readCommandLine(["--config-file", path, "--name", "flag"], { ETCD_SNAPSHOT_COUNT: "7" });
    expect(commandLine).toMatchObject({
      kind: "run",
      config: { name: "file", heartbeatInterval: 50, logOutputs: ["stdout"], snapshotCount: 10_000 },
      warnings: ["the configuration file alone counts: other flags and the environment are ignored"],
    });
  });

  test("takes the names that options had while they were experimental, and holds both names to one value", () => {
    expect(config(["--experimental-compaction-batch-limit=7"]).compactionBatchLimit).toBe(7);
    expect(config([], { ETCD_EXPERIMENTAL_MAX_LEARNERS: "2" }).maxLearners).toBe(2);
    expect(config(["--config-file", yaml("experimental-initial-corrupt-check: true")]).initialCorruptCheck).toBe(true);
    expect(() => config(["--max-learners=1", "--experimental-max-learners=2"])).toThrow(
      'Invalid value "2" for --experimental-max-learners: contradicts --max-learners',
    );
  });

  test("reads the sections of etcd's configuration file", () => {
    const path = yaml(`
client-transport-security:
  cert-file: c.crt
  client-cert-auth: true
  trusted-ca-file:
peer-transport-security:
  cert-file: p.crt
  allowed-cn: [a, b]
socket-options:
  reuse-port: true
grpc-keepalive-min-time: 7000000000
grpc-keepalive-timeout: 8s
listen-client-urls: http://127.0.0.1:1,http://127.0.0.1:2
`);
    expect(config(["--config-file", path])).toMatchObject({
      certFile: "c.crt",
      clientCertAuth: true,
      trustedCaFile: "",
      peerCertFile: "p.crt",
      peerCertAllowedCn: ["a", "b"],
      socketReusePort: true,
      grpcKeepaliveMinTime: 7000,
      grpcKeepaliveTimeout: 8000,
      listenClientUrls: ["http://127.0.0.1:1", "http://127.0.0.1:2"],
    });
  });

  test("warns of options that have no effect, wherever they were given", () => {
    const because = "has no effect: the store is not bbolt and has no free list to choose";
    const warningsOf = (args: readonly string[], environment = {}) => readCommandLine(args, environment);
    expect(warningsOf(["--backend-bbolt-freelist-type=array"])).toMatchObject({
      warnings: [`--backend-bbolt-freelist-type ${because}`],
    });
    expect(warningsOf([], { ETCD_EXPERIMENTAL_BACKEND_BBOLT_FREELIST_TYPE: "map" })).toMatchObject({
      warnings: [`ETCD_EXPERIMENTAL_BACKEND_BBOLT_FREELIST_TYPE ${because}`],
    });
    const path = yaml("backend-bbolt-freelist-type: map");
    expect(warningsOf(["--config-file", path])).toMatchObject({
      warnings: [`'backend-bbolt-freelist-type' in ${path} ${because}`],
    });
  });

  test("warns of a variable that a flag beats", () => {
    expect(readCommandLine(["--name=a"], { ETCD_NAME: "b" })).toMatchObject({
      warnings: ["ETCD_NAME is ignored as --name is given"],
    });
  });

  test("lets options of older versions pass where they ask for nothing, as packaged files have them", () => {
    const path = yaml(
      "discovery:\ndiscovery-fallback: exit\nproxy: 'off'\nproxy-failure-wait: 5000\nenable-v2: false\n",
    );
    expect(readCommandLine(["--config-file", path], {})).toMatchObject({
      kind: "run",
      warnings: expect.arrayContaining([
        `'proxy' in ${path} has no effect: use 'conclave grpc-proxy start' or 'conclave gateway start'`,
      ]),
    });
    expect(readCommandLine(["--proxy=off"], { ETCD_ENABLE_V2: "false", ETCD_DISCOVERY: "" })).toMatchObject({
      warnings: [
        expect.stringMatching(/^--proxy has no effect/),
        expect.stringMatching(/^ETCD_ENABLE_V2 has no effect/),
      ],
    });
  });

  test("refuses them otherwise, wherever they were given, and names today's way", () => {
    const discovery = "etcd has dropped it; use --discovery-token and --discovery-endpoints, or --discovery-srv";
    expect(() => config(["--discovery=http://d/t"])).toThrow(
      `Invalid value "http://d/t" for --discovery: ${discovery}`,
    );
    expect(() => config([], { ETCD_DISCOVERY: "http://d/t" })).toThrow(`for ETCD_DISCOVERY: ${discovery}`);
    expect(() => config(["--config-file", yaml("discovery: http://d/t")])).toThrow(discovery);
    expect(() => config(["-peers", "a:1,b:2"])).toThrow("Flag -peers is of an old etcd: use --initial-cluster");
  });

  test("takes booleans with and without a value", () => {
    expect(config(["--unsafe-no-fsync"]).unsafeNoFsync).toBe(true);
    expect(config(["--unsafe-no-fsync=false"]).unsafeNoFsync).toBe(false);
  });

  test("reads durations as Go writes them", () => {
    expect(config(["--grpc-keepalive-interval", "1h30m", "--backend-batch-interval", "5ms"])).toMatchObject({
      grpcKeepaliveInterval: 5_400_000,
      backendBatchInterval: 5,
    });
  });

  test("warns of environment variables that mean nothing", () => {
    expect(readCommandLine([], { ETCD_NAMES: "x", HOME: "y" })).toMatchObject({
      warnings: ["unrecognized environment variable ETCD_NAMES"],
    });
  });

  test("answers --version and --help", () => {
    expect(readCommandLine(["--version"], {})).toEqual({ kind: "version" });
    expect(readCommandLine(["--help"], {})).toMatchObject({
      kind: "help",
      text: expect.stringContaining("--listen-client-urls"),
    });
  });

  describe("refuses in one line that names option and value:", () => {
    test.each([
      [
        ["--heartbeat-interval", "abc"],
        {},
        'Invalid value "abc" for --heartbeat-interval: must be a whole number from 1',
      ],
      [
        ["--heartbeat-interval", "-5"],
        {},
        'Invalid value "-5" for --heartbeat-interval: must be a whole number from 1',
      ],
      [["--snapshot-count", "1e3"], {}, 'Invalid value "1e3" for --snapshot-count: must be a whole number from 1'],
      [
        ["--election-timeout", "400"],
        {},
        'Invalid value "400" for --election-timeout: must be at least 5 times the heartbeat interval of 100 ms',
      ],
      [
        [],
        { ETCD_ELECTION_TIMEOUT: "60000" },
        'Invalid value "60000" for ETCD_ELECTION_TIMEOUT: must be a whole number from 1 to 50000',
      ],
      [
        ["--listen-client-urls", "http://example.com:1", "--advertise-client-urls", "http://example.com:1"],
        {},
        'Invalid value "http://example.com:1" for --listen-client-urls: URL http://example.com:1 must name an IP address or localhost to listen on',
      ],
      [
        ["--listen-client-urls", "127.0.0.1:2379"],
        {},
        'Invalid value "127.0.0.1:2379" for --listen-client-urls: URL 127.0.0.1:2379 must have the form http://host:port',
      ],
      [
        ["--listen-client-urls", "http://127.0.0.1"],
        {},
        'Invalid value "http://127.0.0.1" for --listen-client-urls: URL http://127.0.0.1 does not have the form "host:port"',
      ],
      [
        ["--listen-client-urls", "http://127.0.0.1:1"],
        {},
        "--advertise-client-urls is required when --listen-client-urls is set explicitly",
      ],
      [
        ["--initial-advertise-peer-urls", "http://127.0.0.1:2380/"],
        {},
        'Invalid value "http://127.0.0.1:2380/" for --initial-advertise-peer-urls: URL http://127.0.0.1:2380/ must not contain a path',
      ],
      [
        ["--initial-cluster-state", "old"],
        {},
        'Invalid value "old" for --initial-cluster-state: must be new or existing',
      ],
      [["--max-snapshots", "-1"], {}, 'Invalid value "-1" for --max-snapshots: must be a whole number from 0'],
      [["--max-cluster-version", "4"], {}, 'Invalid value "4" for --max-cluster-version: must be 3.4, 3.5 or 3.6'],
      [["--pre-vote=perhaps"], {}, 'Invalid value "perhaps" for --pre-vote: must be true or false'],
      [
        ["--experimental-enable-lease-checkpoint=false", "--experimental-enable-lease-checkpoint-persist"],
        {},
        'Invalid value "true" for --experimental-enable-lease-checkpoint-persist: needs --experimental-enable-lease-checkpoint',
      ],
      [
        ["--log-level", "loud"],
        {},
        'Invalid value "loud" for --log-level: must be debug, info, warn, error, panic or fatal',
      ],
      [["--unsafe-no-fsync=maybe"], {}, 'Invalid value "maybe" for --unsafe-no-fsync: must be true or false'],
      [
        ["--grpc-keepalive-min-time", "5"],
        {},
        'Invalid value "5" for --grpc-keepalive-min-time: must be a duration like 100ms, 5s or 2h',
      ],
      [["--no-such-flag", "1"], {}, "Unknown flag '--no-such-flag'"],
      [["extra"], {}, "'extra' is not a valid flag"],
      [["--pre-vote", "false"], {}, "'false' is not a valid flag"],
      [["--name"], {}, "Flag --name needs a value"],
    ] as const)("%j %j", (args, environment, message) => {
      expect(() => readCommandLine(args, environment)).toThrow(expect.objectContaining({ code: "CONFIG", message }));
    });

    test.each([
      [["--auth-token=hunter2"], {}, "Invalid value for --auth-token: must be simple, or jwt followed by its options"],
      [[], { ETCD_AUTH_TOKEN: "hunter2" }, "Invalid value for ETCD_AUTH_TOKEN: must be simple"],
      [["--discovery-pasword=hunter2"], {}, "Unknown flag '--discovery-pasword'"],
      [
        ["--listen-peer-urls=http://u:hunter2@10.0.0.1:1"],
        {},
        'Invalid value "http://…@10.0.0.1:1" for --listen-peer-urls',
      ],
    ] as const)("but not what may be a password: %j %j", (args, environment, message) => {
      const refusal = expect.objectContaining({
        message: expect.stringMatching(/^(?!.*hunter2)/),
        code: "CONFIG",
      });
      expect(() => readCommandLine(args, environment)).toThrow(refusal);
      expect(() => readCommandLine(args, environment)).toThrow(message);
    });

    test.each(["[hunter2]", "{ a: hunter2 }"])("not in a file either: %s", (value) => {
      const run = () => readCommandLine(["--config-file", yaml(`discovery-password: ${value}`)], {});
      expect(run).toThrow(/^Invalid value for 'discovery-password' in .*: must be a text$/);
    });

    test("a file that is missing, no YAML, no mapping, or names what is no option", () => {
      const refuse = (path: string) => expect(() => readCommandLine(["--config-file", path], {}));
      refuse(join(directory, "none.yaml")).toThrow("no such file or directory");
      refuse(yaml("name: [")).toThrow(/^Cannot read the configuration file '.*': /);
      refuse(yaml("- a")).toThrow("it must hold a mapping of options to values");
      refuse(yaml("nam: a")).toThrow(/^Unknown option 'nam' in the configuration file/);
      refuse(yaml("heartbeat-interval: soon")).toThrow(
        /^Invalid value "soon" for 'heartbeat-interval' in .*: must be a whole number from 1/,
      );
    });
  });
});
