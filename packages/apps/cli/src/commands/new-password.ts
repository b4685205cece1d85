import { CommandError, exitCodes } from "../exit.ts";
import type { Io } from "../io.ts";
import { nextLine, readLines } from "./lines.ts";

/**
 * Reads a new password from standard input: asked for twice, or taken as it is.
 *
 * @throws CommandError if the two differ
 */
export async function readNewPassword(io: Io, user: string, options: { readonly ask: boolean }): Promise<string> {
  const lines = readLines(io.stdin);
  if (!options.ask) return nextLine(lines);
  io.out(`Password of ${user}: `);
  const password = await nextLine(lines);
  io.out(`\nType password of ${user} again for confirmation: `);
  const again = await nextLine(lines);
  io.out("\n");
  if (password !== again) throw new CommandError(exitCodes.badArguments, "given passwords are different.");
  return password;
}
