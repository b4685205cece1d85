/** @module The command `conclave`: a member in a process of its own, until it is told to stop. */
import { setTimeout as sleep } from "node:timers/promises";
import { readCommandLine } from "./command-line.ts";
import type { MemberConfig } from "./config.ts";
import type { Log } from "./log.ts";
import { createLog } from "./logging/create-log.ts";
import { MemberError } from "./member-error.ts";
import { type Server, startServer } from "./server.ts";
import { notifySystemd } from "./systemd.ts";
import { conclaveVersion, etcdApiVersion } from "./version.ts";

/** Errors whose message is written for operators; any other is a bug and is shown with its stack. */
const operational: ReadonlySet<string> = new Set(["MemberError", "WalError", "StoreError"]);

/** How long a member that was removed goes on. */
const removalGraceMs = 1000;

/**
 * Runs the command.
 *
 * @param args - the arguments after the program's name
 * @returns the exit status: 0 after a clean stop, 1 if the member could not start or had to stop by itself
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const commandLine = readCommandLine(args, process.env);
    if (commandLine.kind === "help") return print(commandLine.text);
    if (commandLine.kind === "version")
      return print(`etcd Version: ${etcdApiVersion}\nConclave Version: ${conclaveVersion}\n`);
    return await run(commandLine.config, commandLine.warnings);
  } catch (error) {
    const known = error instanceof Error && operational.has(error.name);
    const message = known ? error.message : error instanceof Error ? error.stack : String(error);
    const level = error instanceof MemberError && error.code === "CONFIG" ? "error" : "fatal";
    process.stderr.write(
      `${JSON.stringify({ level, ts: new Date().toISOString(), caller: "server/main", msg: message })}\n`,
    );
    return 1;
  }
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

async function run(config: MemberConfig, warnings: readonly string[]): Promise<number> {
  const logFor = createLog(config, process.env);
  const log = logFor("server/main");
  for (const warning of warnings) log.warn(warning);
  const stopping = signalled(log);
  let server: Server;
  try {
    server = await startServer(config, { log: logFor, signal: stopping });
  } catch (error) {
    if (stopping.aborted) return stopped(log);
    throw error;
  }
  const systemd = { environment: process.env, log };
  await notifySystemd("ready", systemd);
  const failure = await Promise.race([server.failed, aborted(stopping), removed(server, log)]);
  await Promise.all([notifySystemd("stopping", systemd), server.stop()]);
  if (failure === undefined) return stopped(log);
  log.error("stopped after a failure", { error: failure.message });
  return 1;
}

function stopped(log: Log): number {
  log.info("stopped");
  return 0;
}

/** Aborts at the first SIGTERM or SIGINT; the second ends the process at once. */
function signalled(log: Log): AbortSignal {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    // Not by an exit: that waits for threads which may be in the middle of a call to the store, or aborts within one.
    if (controller.signal.aborted) process.kill(process.pid, "SIGKILL");
    log.info("received a signal and stops", { signal });
    controller.abort();
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  return controller.signal;
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

/** A member that was removed stays for a moment, as in etcd, so that the others learn that it knows. */
async function removed(server: Server, log: Log): Promise<undefined> {
  await server.removed;
  log.warn("this member was removed from its cluster and stops; its data directory must be removed", {
    "data-dir": server.dataDir,
  });
  await sleep(removalGraceMs);
  return undefined;
}
