/** What went wrong between members. */
export type PeerErrorCode =
  /** An address cannot be listened on. */
  | "LISTEN"
  /** No answer came: nobody there, connection lost, time over. */
  | "UNREACHABLE"
  /** An answer came that is not one. */
  | "MALFORMED"
  /** The other one refused, as it is of another cluster or speaks another version. */
  | "REFUSED";

/** An error of the way to other members. */
export class PeerError extends Error {
  override readonly name = "PeerError";
  /** What went wrong. */
  readonly code: PeerErrorCode;

  constructor(code: PeerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
