import { CommandError, exitCodes } from "../exit.ts";

/**
 * Whether the value of `--consistency` asks for what the server itself has, rather than for what the cluster has.
 *
 * @throws CommandError if it is neither `l` nor `s`
 */
export function isSerializable(consistency: string): boolean {
  if (consistency !== "l" && consistency !== "s")
    throw new CommandError(exitCodes.badFeature, `unknown consistency flag ${JSON.stringify(consistency)}`);
  return consistency === "s";
}
