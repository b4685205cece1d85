/** What an operator has to mend: the options, or a file that they name. */
export type TlsErrorCode = "CONFIG" | "FILE";

/** Why connections cannot be encrypted as asked for. */
export class TlsError extends Error {
  override readonly name = "TlsError";
  /** What kind of fault it is. */
  readonly code: TlsErrorCode;

  /**
   * @param code - the kind
   * @param message - one line for the operator
   */
  constructor(code: TlsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
