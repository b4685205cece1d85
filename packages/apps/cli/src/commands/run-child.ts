import { spawn } from "node:child_process";
import { once } from "node:events";

/** A program that was run for the user could not be started or failed. */
export class ChildError extends Error {
  /** The class. */
  override readonly name = "ChildError";
}

/** How a program is run. */
export interface ChildOptions {
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends the program with SIGTERM. */
  readonly signal?: AbortSignal;
}

const signalNames: Readonly<Record<string, string>> = { SIGINT: "interrupt", SIGTERM: "terminated", SIGKILL: "killed" };

/**
 * Runs a program with this process's input and outputs and waits for its end.
 *
 * @throws {@link ChildError} if it cannot be started, fails or is ended by a signal
 */
export async function runChild([program = "", ...args]: readonly string[], options: ChildOptions): Promise<void> {
  const child = spawn(program, args, { stdio: "inherit", env: { ...process.env, ...options.env } });
  const end = () => child.kill("SIGTERM");
  options.signal?.addEventListener("abort", end);
  try {
    const [status, signal] = await once(child, "exit");
    if (typeof signal === "string") throw new ChildError(`signal: ${signalNames[signal] ?? signal}`);
    if (status !== 0) throw new ChildError(`exit status ${status}`);
  } catch (error) {
    throw error instanceof ChildError ? error : new ChildError(startFailure(program, error), { cause: error });
  } finally {
    options.signal?.removeEventListener("abort", end);
  }
}

function startFailure(program: string, error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const missing = "code" in error && error.code === "ENOENT";
  return `exec: ${JSON.stringify(program)}: ${missing ? "executable file not found in $PATH" : error.message}`;
}
