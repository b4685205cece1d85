/** What went wrong: `CONFIG` the options make no sense; `LISTEN` an address cannot be listened on. */
export type ProxyErrorCode = "CONFIG" | "LISTEN";

/** A proxy could not be started. Its message is written for operators. */
export class ProxyError extends Error {
  override readonly name = "ProxyError";
  /** What went wrong. */
  readonly code: ProxyErrorCode;

  /**
   * @param code - what went wrong
   * @param message - for operators
   * @param options - `cause`: what led to it
   */
  constructor(code: ProxyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
