/** @module What a connection's sides tell each other they may do (RFC 9113 §6.5). */
import { ConnectionError, errorCodes } from "./error-code.ts";
import { payloadBytesDefault } from "./frame.ts";
import { tableBytesDefault } from "./hpack/encoder.ts";

/** Identifiers of settings. */
export const settingIds = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
} as const;

/** The largest window (RFC 9113 §6.9.1). */
export const windowBytesMax: number = 2 ** 31 - 1;

/** The window of a stream, and of a connection, of which nothing else was said. */
export const windowBytesDefault = 65_535;

const payloadBytesMax = 2 ** 24 - 1;

/** What the other side has told of itself. */
export interface PeerSettings {
  /** The largest table for compressed header fields. */
  headerTableBytes: number;
  /** The window of a new stream. */
  initialWindowBytes: number;
  /** The longest payload of a frame. */
  payloadBytesMax: number;
}

/** What holds until something else was said. */
export function defaultPeerSettings(): PeerSettings {
  return {
    headerTableBytes: tableBytesDefault,
    initialWindowBytes: windowBytesDefault,
    payloadBytesMax: payloadBytesDefault,
  };
}

/**
 * Reads the payload of a SETTINGS frame. What is not known is ignored.
 *
 * @throws ConnectionError if a value is out of its bounds
 */
export function readSettings(payload: Buffer, settings: PeerSettings): void {
  if (payload.length % 6 !== 0) throw new ConnectionError(errorCodes.frameSizeError, "SETTINGS of a broken length");
  for (let at = 0; at < payload.length; at += 6) {
    readSetting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2), settings);
  }
}

function readSetting(identifier: number, value: number, settings: PeerSettings): void {
  switch (identifier) {
    case settingIds.headerTableSize:
      settings.headerTableBytes = value;
      break;
    case settingIds.enablePush:
      if (value > 1) throw new ConnectionError(errorCodes.protocolError, `ENABLE_PUSH of ${value}`);
      break;
    case settingIds.initialWindowSize:
      if (value > windowBytesMax)
        throw new ConnectionError(errorCodes.flowControlError, `INITIAL_WINDOW_SIZE of ${value}`);
      settings.initialWindowBytes = value;
      break;
    case settingIds.maxFrameSize:
      if (value < payloadBytesDefault || value > payloadBytesMax)
        throw new ConnectionError(errorCodes.protocolError, `MAX_FRAME_SIZE of ${value}`);
      settings.payloadBytesMax = value;
      break;
    default:
  }
}
