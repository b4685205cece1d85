/**
 * @module A real etcd on the loopback interface, for comparisons. Its binary comes from Debian's package
 * `etcd-server` (3.4) or from `tools/fetch-etcd-3.5.sh` (3.5).
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The lines of etcd that can be had as an oracle. */
export type EtcdVersion = "3.4" | "3.5";

/** How to start an etcd. */
export interface EtcdOptions {
  /** Which line; default: `"3.4"`, the one Debian 12 packages. */
  readonly version?: EtcdVersion;
  /** More command line flags, such as `["--auto-compaction-retention=1"]`; default: none. */
  readonly flags?: readonly string[];
}

/** A running etcd. Disposing of it kills it and removes its data. */
export interface EtcdProcess extends AsyncDisposable {
  /** Where it serves clients, as `127.0.0.1:port`. */
  readonly endpoint: string;
  /** The same as a URL, as `http://127.0.0.1:port`. */
  readonly url: string;
  /** Its data directory, a temporary one. */
  readonly dataDir: string;
  /** Its process id; another one after {@link EtcdProcess.restart}. */
  readonly pid: number;
  /** Sends a signal (default `"SIGKILL"`) and resolves when the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same ports and data, killing it first if it runs; resolves when it serves. */
  restart(): Promise<void>;
}

const startTimeoutMs = 30_000;
const pollMs = 25;
const logCharsMax = 20_000;

/** Where the binary of a line is, or undefined if it is not there. */
function binaryOf(version: EtcdVersion): string | undefined {
  if (version === "3.5") {
    const path = process.env.ETCD_3_5 ?? join(cacheDir(), "etcd-3.5", "usr", "bin", "etcd");
    return existsSync(path) ? path : undefined;
  }
  return spawnSync("etcd", ["--version"]).status === 0 ? "etcd" : undefined;
}

function cacheDir(): string {
  return join(import.meta.dirname, "..", "..", "..", "node_modules", ".cache");
}

/** Whether an etcd of this line (default `"3.4"`) can be started here. */
export function etcdAvailable(version: EtcdVersion = "3.4"): boolean {
  return binaryOf(version) !== undefined;
}

const absence: Readonly<Record<EtcdVersion, string>> = {
  "3.4": "etcd-server is not installed: apt-get install etcd-server",
  "3.5": "etcd 3.5 is not unpacked: tools/fetch-etcd-3.5.sh",
};

/**
 * Why a comparison with etcd must be skipped, or undefined if it can run.
 *
 * @example
 * ```ts
 * const absent = etcdAbsence();
 * describe.skipIf(absent)(absent ?? "against etcd", () => { ... });
 * ```
 * @throws Error with the same text if the environment variable `CI_REQUIRE_PEERS` is `1`: there, a comparison
 * that does not run is a failure
 */
export function etcdAbsence(version: EtcdVersion = "3.4"): string | undefined {
  if (etcdAvailable(version)) return undefined;
  if (process.env.CI_REQUIRE_PEERS === "1") throw new Error(absence[version]);
  return absence[version];
}

/**
 * Starts an etcd of one member on free loopback ports with a temporary data directory.
 *
 * @returns the process, once it serves
 * @throws Error if the binary is missing, ends early or does not serve within 30 s; its log is in the message
 */
export async function startEtcd(options: EtcdOptions = {}): Promise<EtcdProcess> {
  const version = options.version ?? "3.4";
  const binary = binaryOf(version);
  if (binary === undefined) throw new Error(absence[version]);
  const dataDir = await mkdtemp(join(tmpdir(), "etcd-"));
  const [clientPort, peerPort] = await freePorts(2);
  const url = `http://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const args = [
    "--name=etcd",
    `--data-dir=${dataDir}`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=etcd=${peerUrl}`,
    ...(options.flags ?? []),
  ];
  let run = await launch(binary, args, url);
  return {
    endpoint: `127.0.0.1:${clientPort}`,
    url,
    dataDir,
    get pid() {
      return run.pid ?? 0;
    },
    kill: (signal = "SIGKILL") => end(run, signal),
    async restart() {
      await end(run, "SIGKILL");
      run = await launch(binary, args, url);
    },
    async [Symbol.asyncDispose]() {
      await end(run, "SIGKILL");
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function launch(binary: string, args: readonly string[], url: string): Promise<ChildProcess> {
  const run = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH } });
  let log = "";
  const record = (text: unknown) => {
    log = `${log}${text}`.slice(-logCharsMax);
  };
  run.on("error", record);
  run.stdout.on("data", record);
  run.stderr.on("data", record);
  const deadline = performance.now() + startTimeoutMs;
  while (!(await serves(url))) {
    if (hasEnded(run)) throw new Error(`Cannot start etcd as it ended with ${run.exitCode ?? run.signalCode}:\n${log}`);
    if (performance.now() > deadline) {
      await end(run, "SIGKILL");
      throw new Error(`Cannot start etcd as it does not serve after ${startTimeoutMs} ms:\n${log}`);
    }
    await sleep(pollMs);
  }
  return run;
}

async function serves(url: string): Promise<boolean> {
  try {
    const reply = await fetch(`${url}/health`, { signal: AbortSignal.timeout(1_000) });
    return (await reply.text()).includes('"true"');
  } catch {
    return false;
  }
}

function hasEnded(run: ChildProcess): boolean {
  return run.pid === undefined || run.exitCode !== null || run.signalCode !== null;
}

async function end(run: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(run)) return;
  const ended = once(run, "exit");
  run.kill(signal);
  await ended;
}

/** Loopback ports that are free now. All are held open until the last is known, so that they differ. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(servers.map((server) => once(server.listen(0, "127.0.0.1"), "listening")));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
