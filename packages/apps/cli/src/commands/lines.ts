import type { Readable } from "node:stream";
import { CommandError, exitCodes } from "../exit.ts";

/** Reads the lines of a stream, without their ends. A last line that has no end is none. */
export async function* readLines(stream: Readable): AsyncGenerator<string, void, undefined> {
  let rest = "";
  for await (const chunk of stream.setEncoding("utf8") as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/**
 * The next line, trimmed.
 *
 * @throws CommandError if there is none
 */
export async function nextLine(lines: AsyncIterator<string, void>): Promise<string> {
  const { value } = await lines.next();
  if (value === undefined) throw new CommandError(exitCodes.invalidInput, "EOF");
  return value.trim();
}
