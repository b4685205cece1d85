/** @module Reads options and operands as Go's flags do, and complains in their words. */
import { Command, CommanderError, type Option } from "commander";
import type { Invocation } from "./command.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { goArguments } from "./flags.ts";

/** Gives a command options; one that takes no value also gets its hidden opposite, which `--x=false` becomes. */
export function addFlags(command: Command, flags: readonly Option[]): void {
  for (const flag of flags) {
    command.addOption(flag);
    if (flag.isBoolean()) command.addOption(command.createOption(`--no-${flag.name()}`).hideHelp());
  }
}

/**
 * The long names of the options that take no value where a command line leads to: one name may be an option with a
 * value in one command and without one in another.
 */
export function booleanFlags(program: Command, args: readonly string[] = []): string[] {
  const own = program.options.filter((option) => option.isBoolean()).map((option) => `--${option.name()}`);
  const { command, rest } = commandBelow(program, args);
  return command === undefined ? own : [...own, ...booleanFlags(command, rest)];
}

/** The command below that arguments name first, and what follows its name. */
function commandBelow(
  program: Command,
  args: readonly string[],
): { readonly command: Command | undefined; readonly rest: readonly string[] } {
  for (let at = 0; at < args.length && args[at] !== "--"; at++) {
    const arg = args[at] ?? "";
    const command = program.commands.find((each) => each.name() === arg || each.aliases().includes(arg));
    if (command !== undefined) return { command, rest: args.slice(at + 1) };
    const option = program.options.find(({ long, short }) => arg === long || arg === short);
    if (option?.required === true) at++; // Its value is no command, whatever it says.
  }
  return { command: undefined, rest: [] };
}

/** What follows `--`; undefined if there is none. */
export function afterSeparator(args: readonly string[]): readonly string[] | undefined {
  const at = args.indexOf("--");
  return at < 0 ? undefined : args.slice(at + 1);
}

/**
 * Reads the arguments of one command by its options.
 *
 * @throws CommandError if they do not fit
 */
export function parseArguments<Options extends object>(
  flags: readonly Option[],
  args: readonly string[],
): Invocation<Options> {
  const command = new Command().helpOption(false).argument("[operands...]");
  muted(command);
  addFlags(command, flags);
  try {
    command.parse(goArguments(args, new Set(booleanFlags(command))), { from: "user" });
  } catch (error) {
    throw asCommandError(error);
  }
  return { operands: command.args, separated: afterSeparator(args), options: command.opts<Options>() };
}

/** Makes a command throw instead of writing and exiting. */
export function muted(command: Command): void {
  command
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .allowExcessArguments();
}

/** What the argument parser threw, in the words of Go's flags; anything else as it is. */
export function asCommandError(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  const [, subject = ""] = /'(.*)'/s.exec(error.message) ?? [];
  return new CommandError(exitCodes.failure, complaint(error, subject), { cause: error });
}

function complaint({ code, message }: CommanderError, subject: string): string {
  switch (code) {
    case "commander.unknownOption":
      return subject.startsWith("--")
        ? `unknown flag: ${subject.replace(/=.*/s, "")}`
        : `unknown shorthand flag: '${subject.charAt(1)}' in ${subject}`;
    case "commander.optionMissingArgument":
      return `flag needs an argument: ${/--[^\s,|=<]+/.exec(subject)?.[0] ?? subject}`;
    case "commander.help":
      return "there is no such command to show the help of";
    default:
      return message.replace(/^error: /, "");
  }
}
