import { CommandError, exitCodes } from "../exit.ts";

/**
 * The one argument of a command, or none.
 *
 * @throws CommandError if there are more
 */
export function optionalOperand(command: string, operands: readonly string[]): string | undefined {
  if (operands.length > 1) throw new CommandError(exitCodes.badArguments, `${command} takes at most one argument`);
  return operands[0];
}

/**
 * The arguments of a command that takes so many.
 *
 * @param names - what they are, for the complaint
 * @throws CommandError if there are more or fewer
 */
export function exactOperands(
  command: string,
  operands: readonly string[],
  names: readonly string[],
): readonly string[] {
  if (operands.length === names.length) return operands;
  const wanted = names.map((name) => `<${name}>`).join(" ");
  throw new CommandError(exitCodes.badArguments, `${command} takes ${wanted}`);
}
