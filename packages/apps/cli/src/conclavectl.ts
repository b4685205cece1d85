import { isConclaveError } from "@conclave/client";
import { type Command, CommanderError } from "commander";
import { asCommandError, booleanFlags } from "./arguments.ts";
import type { CommandContext, CommandSpec, Invocation, LocalCommandSpec } from "./command.ts";
import { messageOf } from "./commands/explain.ts";
import { addressOf, openConnection } from "./connection.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { goArguments } from "./flags.ts";
import type { Formatter } from "./format/answers.ts";
import { createFormatter } from "./format/formatter.ts";
import { describeGlobalFlags, type GlobalFlags, readGlobalFlags } from "./global-flags.ts";
import type { Io } from "./io.ts";
import { createProgram } from "./program.ts";
import { createWatchResponses } from "./watch-responses.ts";

/**
 * Runs `conclavectl`.
 *
 * @param io - the process it runs in
 * @returns what to exit with
 * @example
 * ```ts
 * process.exitCode = await runConclavectl(processIo());
 * ```
 */
export async function runConclavectl(io: Io): Promise<number> {
  try {
    const program = createProgram(io.args, io.out, async (command, invocation) => {
      const flags = readGlobalFlags(program, io.env);
      if ("runLocally" in command) await runLocalCommand(command, invocation, { io, flags, program });
      else await runCommand(command, invocation, { io, flags });
    });
    await program.parseAsync(goArguments(io.args, new Set(booleanFlags(program, io.args))), { from: "user" });
    return exitCodes.success;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.success; // Help was shown.
    const error = asCommandError(thrown);
    const message = messageOf(error);
    if (message !== "") io.err(`Error: ${message}\n`);
    return exitCodeOf(error);
  }
}

/** Whoever could not log in has no connection, as etcdctl sees it. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return error.exitCode;
  return isConclaveError(error, "AUTH_FAILED") ? exitCodes.badConnection : exitCodes.failure;
}

interface Process {
  readonly io: Io;
  readonly flags: GlobalFlags;
}

async function runLocalCommand<Options extends object>(
  command: LocalCommandSpec<Options>,
  invocation: Invocation<Options>,
  { io, flags, program }: Process & { readonly program: Command },
): Promise<void> {
  // A command that prints no answer takes any format.
  const print: CommandContext["print"] = (kind, answer) =>
    createPrinter(createFormatter(flags.writeOut, { hex: flags.hex, valueOnly: false }), flags, io)(kind, answer);
  await command.runLocally({ io, print, program }, invocation);
}

async function runCommand<Options extends object>(
  command: CommandSpec<Options>,
  invocation: Invocation<Options>,
  { io, flags }: Process,
): Promise<void> {
  if (flags.debug) io.err(describeGlobalFlags(flags));
  const hex = flags.hex;
  const valueOnly = "printValueOnly" in invocation.options && invocation.options.printValueOnly === true;
  const formatter = createFormatter(flags.writeOut, { hex, valueOnly });
  const { client, transport, addresses } = await openConnection(flags, io);
  try {
    const watchAt: CommandContext["watchAt"] = (some) =>
      createWatchResponses({ transport, addresses: some, scheduler: client.ports.scheduler });
    const context: CommandContext = {
      io,
      flags,
      client,
      watch: watchAt(addresses),
      watchAt,
      addressOf: (endpoint) => addressOf(endpoint, flags),
      print: createPrinter(formatter, flags, io),
    };
    await command.run(context, invocation);
  } finally {
    // Input that nobody will read any more must not keep the process waiting for its end.
    io.stdin.destroy();
    await client.close();
  }
}

/** Health goes to standard error where people read it, as etcdctl has it; all else to standard output. */
function createPrinter(formatter: Formatter, { writeOut }: GlobalFlags, io: Io): CommandContext["print"] {
  return (kind, answer) => {
    const text = formatter[kind](answer);
    if (kind === "endpointHealth" && writeOut === "simple" && typeof text === "string") io.err(text);
    else io.out(text);
  };
}
