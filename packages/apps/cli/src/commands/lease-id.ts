import { CommandError, exitCodes } from "../exit.ts";
import { parseInt64 } from "../go/integers.ts";

/**
 * Reads the value of `--lease`.
 *
 * @throws CommandError if it is no lease id in hexadecimal
 */
export function parseLeaseFlag(text: string): bigint {
  return parseLease(text, "bad lease ID");
}

/**
 * Reads the operand of a lease command.
 *
 * @throws CommandError if it is no lease id in hexadecimal
 */
export function parseLeaseOperand(text: string): bigint {
  return parseLease(text, "bad lease ID arg");
}

function parseLease(text: string, complaint: string): bigint {
  try {
    return parseInt64(text, 16);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = `${complaint} (${error.message}), expecting ID in Hex`;
    throw new CommandError(exitCodes.badArguments, message, { cause: error });
  }
}
