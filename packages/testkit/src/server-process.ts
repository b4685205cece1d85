/** @module A server as a real process on the loopback interface: started, awaited, signalled and ended by its id. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** What to run, and where it will serve. */
export interface ServerCommand {
  /** What it is called in errors. */
  readonly name: string;
  /** The program. */
  readonly binary: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Where `/health` is asked whether it serves. */
  readonly url: string;
}

/** A server process that serves. */
export interface ServerProcess {
  /** Its process id; another one after {@link ServerProcess.restart}. */
  readonly pid: number;
  /** The end of what it has written to its outputs, at most 20 000 characters. */
  readonly log: string;
  /** How it ended: status or signal; undefined while it runs. */
  readonly exit: number | NodeJS.Signals | undefined;
  /** Resolves when the process has ended, by itself or not. */
  ended(): Promise<void>;
  /** Sends a signal (default `"SIGKILL"`) and resolves when the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Freezes the process until {@link ServerProcess.resume}. */
  pause(): void;
  /** Lets a frozen process go on. */
  resume(): void;
  /**
   * Resolves when it serves.
   *
   * @throws Error if it ends early or does not serve within 30 s; its log is in the message
   */
  ready(): Promise<void>;
  /** Starts it again, killing it first if it runs; resolves when it serves. */
  restart(options?: RestartOptions): Promise<void>;
}

/** How to start a server again. */
export interface RestartOptions {
  /** The program from now on; default: the same as before. */
  readonly binary?: string;
  /** Its arguments from now on; default: the same as before. */
  readonly args?: readonly string[];
  /** What to wait for: default `"ready"`, until it serves; `"launched"`, only until the process is there. */
  readonly until?: "ready" | "launched";
}

const startTimeoutMs = 30_000;
const pollMs = 25;
const logCharsMax = 20_000;

interface Run {
  readonly child: ChildProcess;
  log: string;
}

/**
 * Starts a server and waits until it answers that it is healthy.
 *
 * @throws Error if the program is missing, ends early or does not serve within 30 s; its log is in the message
 */
export async function startServerProcess(command: ServerCommand): Promise<ServerProcess> {
  const server = launchServerProcess(command);
  await server.ready();
  return server;
}

/** Starts a server and does not wait: of a cluster, no member serves before most of them run. */
export function launchServerProcess(command: ServerCommand): ServerProcess {
  let current = command;
  let run = launch(current);
  return {
    get pid() {
      return run.child.pid ?? 0;
    },
    get log() {
      return run.log;
    },
    get exit() {
      return run.child.exitCode ?? run.child.signalCode ?? undefined;
    },
    ended: () => ended(run.child),
    kill: (signal = "SIGKILL") => end(run.child, signal),
    pause: () => void run.child.kill("SIGSTOP"),
    resume: () => void run.child.kill("SIGCONT"),
    ready: () => untilServing(current, run),
    async restart({ binary = current.binary, args = current.args, until = "ready" } = {}) {
      await end(run.child, "SIGKILL");
      current = { ...current, binary, args };
      run = launch(current);
      if (until === "ready") await untilServing(current, run);
    },
  };
}

function launch({ binary, args }: ServerCommand): Run {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH } });
  const run: Run = { child, log: "" };
  const record = (text: unknown) => {
    run.log = `${run.log}${text}`.slice(-logCharsMax);
  };
  child.on("error", record);
  child.stdout.on("data", record);
  child.stderr.on("data", record);
  return run;
}

async function untilServing({ name, url }: ServerCommand, run: Run): Promise<void> {
  const { child } = run;
  const deadline = performance.now() + startTimeoutMs;
  while (!(await serves(url))) {
    if (hasEnded(child))
      throw new Error(`Cannot start ${name} as it ended with ${child.exitCode ?? child.signalCode}:\n${run.log}`);
    if (performance.now() > deadline) {
      await end(child, "SIGKILL");
      throw new Error(`Cannot start ${name} as it does not serve after ${startTimeoutMs} ms:\n${run.log}`);
    }
    await sleep(pollMs);
  }
}

async function serves(url: string): Promise<boolean> {
  try {
    const reply = await fetch(`${url}/health`, { signal: AbortSignal.timeout(1_000) });
    return (await reply.text()).includes('"true"');
  } catch {
    return false;
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function ended(child: ChildProcess): Promise<void> {
  if (!hasEnded(child)) await once(child, "exit");
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const gone = ended(child);
  child.kill(signal);
  await gone;
}

/** Where a member is, as its flags say it, the same for etcd and Conclave. */
export interface MemberPlacement {
  /** Its name. */
  readonly name: string;
  /** Its data directory. */
  readonly dataDir: string;
  /** Where it listens for clients. */
  readonly clientUrl: string;
  /** Where it tells clients that it is; default: where it listens. */
  readonly advertisedClientUrl?: string;
  /** Where other members reach it. */
  readonly peerUrl: string;
  /** Where it listens for other members; default: where they reach it. */
  readonly listenPeerUrl?: string;
  /** The members of its cluster as `--initial-cluster` takes them; default: it alone. */
  readonly initialCluster?: string;
  /** Whether the cluster is there already; default: `"new"`. */
  readonly initialClusterState?: "new" | "existing";
}

/** The flags, the same for etcd and Conclave, that put a member in its place. */
export function memberFlags(placement: MemberPlacement): readonly string[] {
  const { name, dataDir, clientUrl, advertisedClientUrl = clientUrl, peerUrl } = placement;
  const { listenPeerUrl = peerUrl, initialCluster = `${name}=${peerUrl}`, initialClusterState = "new" } = placement;
  return [
    `--name=${name}`,
    `--data-dir=${dataDir}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${advertisedClientUrl}`,
    `--listen-peer-urls=${listenPeerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=${initialCluster}`,
    `--initial-cluster-state=${initialClusterState}`,
  ];
}
