/**
 * @module A real etcd on the loopback interface, for comparisons. Its binary comes from Debian's package
 * `etcd-server` (3.4) or from `tools/fetch-etcd-3.5.sh` (3.5).
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "./free-ports.ts";
import { memberFlags, type ServerProcess, startServerProcess } from "./server-process.ts";

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
export interface EtcdProcess extends ServerProcess, AsyncDisposable {
  /** Where it serves clients, as `127.0.0.1:port`. */
  readonly endpoint: string;
  /** The same as a URL, as `http://127.0.0.1:port`. */
  readonly url: string;
  /** Its data directory, a temporary one. */
  readonly dataDir: string;
}

/** Tries to find ports that nobody else takes meanwhile. */
const attemptsMax = 5;

/** Where the binary of a line is, or undefined if it is not there. */
function etcdBinary(version: EtcdVersion): string | undefined {
  if (version === "3.5") {
    const path = process.env.ETCD_3_5 ?? join(cacheDir(), "etcd-3.5", "usr", "bin", "etcd");
    return existsSync(path) ? path : undefined;
  }
  return spawnSync("etcd", ["--version"]).status === 0 ? "etcd" : undefined;
}

function cacheDir(): string {
  return join(import.meta.dirname, "..", "..", "..", "node_modules", ".cache");
}

/**
 * Where the binary of a line is.
 *
 * @throws Error that says where to get it, if it is not there
 * @internal
 */
export function etcdBinaryOrThrow(version: EtcdVersion): string {
  const binary = etcdBinary(version);
  if (binary === undefined) throw new Error(absence[version]);
  return binary;
}

/** Whether an etcd of this line (default `"3.4"`) can be started here. */
export function etcdAvailable(version: EtcdVersion = "3.4"): boolean {
  return etcdBinary(version) !== undefined;
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
  const binary = etcdBinaryOrThrow(options.version ?? "3.4");
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnFreePorts(binary, options.flags ?? []);
    } catch (error) {
      // Between being found free and being taken, a port may go to another process.
      if (attempt === attemptsMax || !String(error).includes("address already in use")) throw error;
    }
  }
}

async function startOnFreePorts(binary: string, moreFlags: readonly string[]): Promise<EtcdProcess> {
  const dataDir = await mkdtemp(join(tmpdir(), "etcd-"));
  const [clientPort, peerPort] = await freePorts(2);
  const url = `http://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const flags = memberFlags({ name: "etcd", dataDir, clientUrl: url, peerUrl });
  const removeData = () => rm(dataDir, { recursive: true, force: true });
  const command = { name: "etcd", binary, args: [...flags, ...moreFlags], url };
  const server = await startServerProcess(command).catch(async (error: unknown) => {
    await removeData();
    throw error;
  });
  return Object.assign(server, {
    endpoint: `127.0.0.1:${clientPort}`,
    url,
    dataDir,
    async [Symbol.asyncDispose]() {
      await server.kill();
      await removeData();
    },
  });
}
