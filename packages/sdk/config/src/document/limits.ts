/** @module What fits into a configuration. */
import { ConclaveError } from "@conclave/client";

/** The bounds of documents, releases and histories. */
export interface ConfigLimits {
  /** Most bytes of a document unless told otherwise: 256 KiB. */
  readonly documentBytes: number;
  /**
   * Most bytes that a document can be allowed: 480 KiB. A publication carries the value twice, and a third one if it
   * records what someone else put there, and a request holds 1.5 MiB.
   */
  readonly documentBytesMax: number;
  /** Most documents of one release: 32. Each takes up to four of the 128 operations of a transaction. */
  readonly releaseDocumentsMax: number;
  /** How many publications of a document are kept unless told otherwise: 20. */
  readonly historyCount: number;
  /** Fewest publications that can be kept: 2. */
  readonly historyCountMin: number;
  /** Most publications that can be kept: 1 000. */
  readonly historyCountMax: number;
}

/** The bounds of documents, releases and histories. */
export const configLimits: ConfigLimits = {
  documentBytes: 256 * 1_024,
  documentBytesMax: 480 * 1_024,
  releaseDocumentsMax: 32,
  historyCount: 20,
  historyCountMin: 2,
  historyCountMax: 1_000,
};

/** @throws ConclaveError `REQUEST_TOO_LARGE` */
export function checkSize(key: string, { length }: Uint8Array, maxBytes: number): void {
  if (length > maxBytes)
    throw new ConclaveError("REQUEST_TOO_LARGE", `Cannot publish "${key}": ${length} bytes are more than ${maxBytes}`);
}
