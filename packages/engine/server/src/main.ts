/** @module The command `conclave`: a member in a process of its own, until it is told to stop. */
import { readCommandLine } from "./command-line.ts";
import type { MemberConfig } from "./config.ts";
import { createJsonLog } from "./json-log.ts";
import type { Log } from "./log.ts";
import { MemberError } from "./member-error.ts";
import { startServer } from "./server.ts";
import { conclaveVersion, etcdApiVersion } from "./version.ts";

/** Errors whose message is written for operators; any other is a bug and is shown with its stack. */
const operational: ReadonlySet<string> = new Set(["MemberError", "WalError", "StoreError"]);

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
  const logFor = createJsonLog({ level: config.logLevel, outputs: config.logOutputs });
  const log = logFor("server/main");
  for (const warning of warnings) log.warn(warning);
  const stopRequested = signalled(log);
  const server = await startServer(config, { log: logFor });
  const failure = await Promise.race([server.failed, stopRequested.then(() => undefined)]);
  await server.stop();
  if (failure === undefined) log.info("stopped");
  else log.error("stopped after a failure", { error: failure.message });
  return failure === undefined ? 0 : 1;
}

/** Resolves at the first SIGTERM or SIGINT; the second ends the process at once. */
function signalled(log: Log): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    const onSignal = (signal: NodeJS.Signals): void => {
      count += 1;
      if (count > 1) process.exit(1);
      log.info("received a signal and stops", { signal });
      resolve();
    };
    process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  });
}
