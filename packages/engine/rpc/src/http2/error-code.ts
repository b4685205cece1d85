/** Why a stream or a connection ends (RFC 9113 §7). */
export const errorCodes = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  enhanceYourCalm: 0xb,
} as const;

/** One of {@link errorCodes}. */
export type ErrorCode = (typeof errorCodes)[keyof typeof errorCodes];

/** A fault of the other side after which the connection makes no sense any more (RFC 9113 §5.4.1). */
export class ConnectionError extends Error {
  override readonly name: string = "ConnectionError";
  /** What the other side is told. */
  readonly code: ErrorCode;

  /**
   * @param code - what the other side is told
   * @param message - the same in words, which it is told too
   */
  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
