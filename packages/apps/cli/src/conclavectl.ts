import { CommanderError } from "commander";
import { asCommandError, booleanFlags } from "./arguments.ts";
import type { CommandContext, CommandSpec, Invocation } from "./command.ts";
import { messageOf } from "./commands/explain.ts";
import { addressOf, openConnection } from "./connection.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { goArguments } from "./flags.ts";
import type { Formatter } from "./format/answers.ts";
import { createFormatter } from "./format/formatter.ts";
import { type GlobalFlags, readGlobalFlags } from "./global-flags.ts";
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
      if ("runLocally" in command) command.runLocally(io);
      else await runCommand(command, invocation, { io, flags: readGlobalFlags(program, io.env) });
    });
    await program.parseAsync(goArguments(io.args, new Set(booleanFlags(program))), { from: "user" });
    return exitCodes.success;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.success; // Help was shown.
    const error = asCommandError(thrown);
    const message = messageOf(error);
    if (message !== "") io.err(`Error: ${message}\n`);
    return error instanceof CommandError ? error.exitCode : exitCodes.failure;
  }
}

async function runCommand<Options extends object>(
  command: CommandSpec<Options>,
  invocation: Invocation<Options>,
  { io, flags }: { readonly io: Io; readonly flags: GlobalFlags },
): Promise<void> {
  const hex = flags.hex;
  const valueOnly = "printValueOnly" in invocation.options && invocation.options.printValueOnly === true;
  const formatter = createFormatter(flags.writeOut, { hex, valueOnly });
  const { client, transport, addresses } = await openConnection(flags, io);
  try {
    const context: CommandContext = {
      io,
      flags,
      client,
      watch: createWatchResponses({ transport, addresses, scheduler: client.ports.scheduler }),
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
