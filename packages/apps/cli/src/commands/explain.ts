import { CommandError, exitCodes } from "../exit.ts";

/** The words of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Waits for an answer and says of a failure what it was about: `failed to grant lease (…)`. */
export async function explain<Answer>(complaint: string, answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw new CommandError(exitCodes.failure, `${complaint} (${messageOf(error)})`, { cause: error });
  }
}
