import { parseArguments } from "../arguments.ts";
import type { CommandContext } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { splitWords } from "../go/words.ts";
import { messageOf } from "./explain.ts";
import { readLines } from "./lines.ts";
import { parseWatch, type WatchArguments, type WatchOptions, watchFlags } from "./watch-arguments.ts";

/** Shows the events of a watch until it ends. */
export type Follow = (context: CommandContext, watch: WatchArguments) => Promise<void>;

/**
 * Starts a watch for every line `watch <key> [range_end] [-- program [argument...]]` of standard input; other
 * lines are complained about.
 *
 * @throws CommandError when the input ends, or a watch does
 */
export async function watchInteractively(context: CommandContext, follow: Follow): Promise<void> {
  await new Promise<void>((_resolve, reject) => {
    const readInput = async () => {
      for await (const line of readLines(context.io.stdin)) {
        const watch = parseLine(context, line.trim());
        if (watch !== undefined) follow(context, watch).catch(reject);
      }
      throw new CommandError(exitCodes.invalidInput, "Error reading watch request line: EOF");
    };
    readInput().catch(reject);
  });
}

/** What a line asks to watch; undefined, after a complaint, if it asks for nothing that can be watched. */
function parseLine({ io }: CommandContext, line: string): WatchArguments | undefined {
  try {
    const [name, ...args] = splitWords(line);
    if (name !== "watch") throw new Error("only support watch");
    return parseWatch(parseArguments<WatchOptions>(watchFlags, args), io.env);
  } catch (error) {
    io.err(`Invalid command ${line} (${messageOf(error)})\n`);
    return undefined;
  }
}
