/** @module What the commands `gateway` and `grpc-proxy` have in common: help, flags, and how they end. */
import { describeFlags, type Flags, type FlagValues, parseFlags } from "./flags.ts";
import type { ProxyLog } from "./log.ts";
import { ProxyError } from "./proxy-error.ts";

/** A proxy that runs. */
export interface RunningProxy {
  /** Where it tells what happens. */
  readonly log: ProxyLog;
  /** Stops it. */
  close(): Promise<void>;
}

/** A command of which `start` is the only subcommand. */
export interface Command {
  /** Its name. */
  readonly name: string;
  /** What it is about, in a line. */
  readonly summary: string;
  /** What its `start` does, in a line. */
  readonly startSummary: string;
  /** The flags of `start`. */
  readonly flags: Flags;
  /** Starts the proxy. */
  start(flags: FlagValues): Promise<RunningProxy>;
}

/**
 * Runs a command until it is told to stop by SIGTERM or SIGINT.
 *
 * @param args - the arguments after the command's name
 * @returns the exit status: 0 after help or a clean stop, 1 if it could not start
 */
export async function runCommand(command: Command, args: readonly string[]): Promise<number> {
  const [subcommand, ...rest] = args;
  if (subcommand !== "start") return withoutStart(command, subcommand);
  try {
    const parsed = parseFlags(command.flags, rest);
    if (parsed.kind === "help") return print(`${command.startSummary}\n\n${usageOfStart(command)}`);
    return await runUntilSignalled(command, parsed.values);
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    const isUsage = /^(unknown|invalid argument|flag needs)/.test(error.message);
    process.stderr.write(`Error: ${error.message}\n${isUsage ? usageOfStart(command) : ""}`);
    return 1;
  }
}

async function runUntilSignalled(command: Command, flags: FlagValues): Promise<number> {
  const signal = signalled();
  const proxy = await command.start(flags);
  proxy.log.info("received a signal and stops", { signal: await signal });
  await proxy.close();
  proxy.log.info("stopped");
  return 0;
}

/** The first signal that asks to stop; the second ends the process at once. */
function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isStopping = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (isStopping) process.exit(1);
      isStopping = true;
      resolve(signal);
    };
    process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  });
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function withoutStart({ name, summary, startSummary }: Command, subcommand: string | undefined): number {
  const help = `Usage:
  conclave ${name} [command]

Available Commands:
  start       ${startSummary}

Flags:
  -h, --help   help for ${name}

Use "conclave ${name} [command] --help" for more information about a command.
`;
  if (subcommand === undefined || subcommand === "-h" || subcommand === "--help") return print(`${summary}\n\n${help}`);
  process.stderr.write(`Error: unknown command ${JSON.stringify(subcommand)} for "conclave ${name}"\n${help}`);
  return 1;
}

function usageOfStart({ name, flags }: Command): string {
  return `Usage:\n  conclave ${name} start [flags]\n\nFlags:\n${describeFlags(flags)}`;
}
