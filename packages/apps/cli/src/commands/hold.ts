import { isConclaveError } from "@conclave/client";
import { CommandError, exitCodes } from "../exit.ts";

/** Something that is owned until it is given up or lost. */
export interface Owned {
  /** Aborts when it is lost. */
  readonly signal: AbortSignal;
}

/**
 * Waits for something to be owned.
 *
 * @throws CommandError in etcdctl's words if the user interrupts, or the session is lost while it waits
 */
export async function waitToOwn<Ownership>(ownership: Promise<Ownership>): Promise<Ownership> {
  try {
    return await ownership;
  } catch (error) {
    if (isConclaveError(error, "ABORTED"))
      throw new CommandError(exitCodes.failure, "context canceled", { cause: error });
    if (isConclaveError(error, "SESSION_LOST")) throw sessionExpired();
    throw error;
  }
}

/**
 * Resolves when the user interrupts.
 *
 * @throws CommandError `session expired` if what is owned is lost before
 */
export async function holdUntilInterrupted({ signal: lost }: Owned, interrupted: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    if (interrupted.aborted) resolve();
    if (lost.aborted) reject(sessionExpired());
    interrupted.addEventListener("abort", () => resolve());
    lost.addEventListener("abort", () => reject(sessionExpired()));
  });
}

function sessionExpired(): CommandError {
  return new CommandError(exitCodes.failure, "session expired");
}
