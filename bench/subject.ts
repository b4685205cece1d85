/** @module The servers that are compared: real processes with temporary data directories. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts, memberFlags, startCluster, startServerProcess } from "@conclave/testkit";

/** The servers by name. */
export type SubjectName = "etcd" | "conclave";

/** A server under load. */
export interface Subject extends AsyncDisposable {
  readonly name: SubjectName;
  /** Where it serves clients; of a cluster, where its leader does. */
  readonly url: string;
  /** The process there. */
  readonly process: SubjectProcess;
  /** All its processes. */
  readonly pids: readonly number[];
  /** Before each measurement: of a cluster, finds the leader again. */
  settle(): Promise<void>;
}

/** A process of a server. */
export interface SubjectProcess {
  readonly pid: number;
  /** Ends it. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same data; resolves when it serves. */
  restart(): Promise<void>;
}

const binaries: Readonly<Record<SubjectName, string>> = {
  etcd: "etcd",
  conclave: join(import.meta.dirname, "..", "bin", "conclave"),
};

const versionLines: Readonly<Record<SubjectName, RegExp>> = {
  etcd: /^etcd Version: (.+)$/m,
  conclave: /^Conclave Version: (.+)$/m,
};

/** What a server says its version is. */
export function versionOf(name: SubjectName): string {
  const { stdout } = spawnSync(binaries[name], ["--version"], { encoding: "utf8" });
  return versionLines[name].exec(stdout)?.[1] ?? "of an unknown version";
}

/** Why a server cannot be started here; undefined if it can. */
export function absenceOf(name: SubjectName): string | undefined {
  if (spawnSync(binaries[name], ["--version"]).status === 0) return undefined;
  return name === "etcd"
    ? "etcd is not installed: apt-get install etcd-server"
    : "bin/conclave does not run: build it with `npm run build`";
}

const flags: readonly string[] = ["--quota-backend-bytes=8589934592"];

/** How a server is started. */
export interface SubjectOptions {
  /** How many members it has. */
  readonly members: number;
  /** Where each member of Conclave leaves a CPU profile when it ends; default: none is made. */
  readonly profileDir?: string | undefined;
}

/** Starts a server on free loopback ports. */
export function startSubject(name: SubjectName, { members, profileDir }: SubjectOptions): Promise<Subject> {
  return members === 1 ? startAlone(name, profileDir) : startTogether(name, members, profileDir);
}

async function startTogether(name: SubjectName, size: number, profileDir: string | undefined): Promise<Subject> {
  const program =
    profileDir === undefined ? {} : { binary: await profiledBinary(commandOf(name, profileDir), profileDir) };
  const cluster = await startCluster({ kind: name, size, flags, ...program });
  let leader = await cluster.waitForLeader();
  return {
    name,
    get url() {
      return leader.url;
    },
    get process() {
      return leader;
    },
    get pids() {
      return cluster.members.map(({ pid }) => pid);
    },
    async settle() {
      leader = await cluster.waitForLeader({ among: cluster.members });
    },
    async [Symbol.asyncDispose]() {
      // A profile is written at an orderly end.
      if (profileDir !== undefined) await Promise.all(cluster.members.map((member) => member.kill("SIGTERM")));
      await cluster[Symbol.asyncDispose]();
    },
  };
}

/** A program that is started by its name alone and leaves a profile. */
async function profiledBinary(command: readonly string[], profileDir: string): Promise<string> {
  await mkdir(profileDir, { recursive: true });
  const file = join(profileDir, "member.sh");
  await writeFile(file, `#!/bin/sh\nexec ${command.map((part) => `'${part}'`).join(" ")} "$@"\n`, { mode: 0o755 });
  return file;
}

/** The command that starts a server, without its flags. */
function commandOf(name: SubjectName, profileDir: string | undefined): readonly [binary: string, ...args: string[]] {
  if (name === "etcd" || profileDir === undefined) return [binaries[name]];
  return [process.execPath, "--cpu-prof", `--cpu-prof-dir=${profileDir}`, binaries[name]];
}

async function startAlone(name: SubjectName, profileDir: string | undefined): Promise<Subject> {
  const dataDir = await mkdtemp(join(tmpdir(), `bench-${name}-`));
  const [clientPort, peerPort] = await freePorts(2);
  const url = `http://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const [binary, ...before] = commandOf(name, profileDir);
  const args = [...before, ...memberFlags({ name: "bench", dataDir, clientUrl: url, peerUrl }), ...flags];
  const server = await startServerProcess({ name, binary, args, url });
  const dispose = async (): Promise<void> => {
    // A profile is written at an orderly end.
    await server.kill(profileDir === undefined ? "SIGKILL" : "SIGTERM");
    await rm(dataDir, { recursive: true, force: true });
  };
  return {
    name,
    url,
    process: server,
    get pids() {
      return [server.pid];
    },
    settle: async () => {},
    [Symbol.asyncDispose]: dispose,
  };
}

/** Memory of a process that is in RAM now, in bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}

/** Linux counts a process's time in ticks of this length, whatever the kernel's own. */
const tickUs = 10_000;

/** Time that the processors have spent on a process, in microseconds. */
export function cpuUs(pid: number): number {
  // The fields follow the name in parentheses, which may hold spaces; utime and stime are the 14th and 15th.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * tickUs;
}
