import { CommandError, exitCodes } from "../exit.ts";

/** A formatter for answers that a format has no form for. */
export function unsupported(format: string): () => never {
  return () => {
    throw new CommandError(exitCodes.badFeature, `${format} not supported as output format`);
  };
}
