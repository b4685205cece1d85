import { CommandError, exitCodes } from "../exit.ts";
import { parseUint64Hex } from "../go/integers.ts";

/**
 * Reads the one operand of a command about a member.
 *
 * @throws CommandError if it is missing, not alone, or no id in hexadecimal
 */
export function parseMemberOperand([text, ...rest]: readonly string[]): bigint {
  if (text === undefined || rest.length > 0)
    throw new CommandError(exitCodes.badArguments, "member ID is not provided");
  try {
    return parseUint64Hex(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = `bad member ID arg (${error.message}), expecting ID in Hex`;
    throw new CommandError(exitCodes.badArguments, message, { cause: error });
  }
}

/**
 * Reads the value of `--peer-urls`.
 *
 * @throws CommandError if there is none
 */
export function parsePeerUrls(text: string): string[] {
  if (text === "") throw new CommandError(exitCodes.badArguments, "member peer urls not provided");
  return text.split(",");
}
