/** The exit codes of etcdctl. */
export const exitCodes = {
  success: 0,
  failure: 1,
  badConnection: 2,
  invalidInput: 3,
  badFeature: 4,
  interrupted: 5,
  badArguments: 128,
} as const;

/** One of {@link exitCodes}. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends a command with a line on standard error and an exit code. */
export class CommandError extends Error {
  /** The class. */
  override readonly name = "CommandError";
  /** What the process exits with. */
  readonly exitCode: ExitCode;

  /**
   * @param exitCode - what the process exits with
   * @param message - what stands after `Error: `; empty if everything has been said already
   */
  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
