/** @module A server as a real process on the loopback interface: started, awaited, signalled and ended by its id. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
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
  /** Sends a signal (default `"SIGKILL"`) and resolves when the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Freezes the process until {@link ServerProcess.resume}. */
  pause(): void;
  /** Lets a frozen process go on. */
  resume(): void;
  /** Starts it again with the same arguments, killing it first if it runs; resolves when it serves. */
  restart(): Promise<void>;
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
  let run = await launch(command);
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
    kill: (signal = "SIGKILL") => end(run.child, signal),
    pause: () => void run.child.kill("SIGSTOP"),
    resume: () => void run.child.kill("SIGCONT"),
    async restart() {
      await end(run.child, "SIGKILL");
      run = await launch(command);
    },
  };
}

async function launch({ name, binary, args, url }: ServerCommand): Promise<Run> {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH } });
  const run: Run = { child, log: "" };
  const record = (text: unknown) => {
    run.log = `${run.log}${text}`.slice(-logCharsMax);
  };
  child.on("error", record);
  child.stdout.on("data", record);
  child.stderr.on("data", record);
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

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

/** Loopback ports that are free now. All are held open until the last is known, so that they differ. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(servers.map((server) => once(server.listen(0, "127.0.0.1"), "listening")));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

/** The flags, the same for etcd and Conclave, of a single member on two loopback ports. */
export function singleMemberFlags(options: {
  readonly name: string;
  readonly dataDir: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
}): readonly string[] {
  const { name, dataDir, clientUrl, peerUrl } = options;
  return [
    `--name=${name}`,
    `--data-dir=${dataDir}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=${name}=${peerUrl}`,
  ];
}
