import { parseArguments } from "../arguments.ts";
import type { CommandContext } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { splitWords } from "../go/words.ts";
import type { ProgressQuestion } from "../watch-responses.ts";
import { messageOf } from "./explain.ts";
import { readLines } from "./lines.ts";
import { parseWatch, type WatchArguments, type WatchOptions, watchFlags } from "./watch-arguments.ts";

/** What watches work with. */
export interface Watching {
  /** The command. */
  readonly context: CommandContext;
  /** Asks all of them how far they are. */
  readonly progress: ProgressQuestion;
}

/** Shows the events of a watch until it ends. */
export type Follow = (watching: Watching, watch: WatchArguments) => Promise<void>;

/**
 * Starts a watch for every line `watch <key> [range_end] [-- program [argument...]]` of standard input, and asks all
 * watches how far they are at every line `progress`; other lines are complained about.
 *
 * @throws CommandError when the input ends, or a watch does
 */
export async function watchInteractively(watching: Watching, follow: Follow): Promise<void> {
  const { context, progress } = watching;
  await new Promise<void>((_resolve, reject) => {
    const readInput = async () => {
      for await (const line of readLines(context.io.stdin)) {
        const asked = parseLine(context, line.trim());
        if (asked === "progress") progress.ask();
        else if (asked !== undefined) follow(watching, asked).catch(reject);
      }
      throw new CommandError(exitCodes.invalidInput, "Error reading watch request line: EOF");
    };
    readInput().catch(reject);
  });
}

/** What a line asks for; undefined, after a complaint, if it asks for nothing there is. */
function parseLine({ io }: CommandContext, line: string): WatchArguments | "progress" | undefined {
  try {
    const [name, ...args] = splitWords(line);
    if (name === undefined) io.err("Invalid command:  (watch and progress supported)\n");
    if (name === undefined || name === "progress") return name;
    if (name !== "watch") throw new Error("only support watch");
    return parseWatch(parseArguments<WatchOptions>(watchFlags, args), io.env);
  } catch (error) {
    io.err(`Invalid command ${line} (${messageOf(error)})\n`);
    return undefined;
  }
}
