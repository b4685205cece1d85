import { equalBytes } from "@conclave/base";

const zeros = new Uint8Array(64 * 1024);

/** Whether all bytes are zero. */
export function isZero(bytes: Uint8Array): boolean {
  for (let start = 0; start < bytes.length; start += zeros.length) {
    const part = bytes.subarray(start, start + zeros.length);
    if (!equalBytes(part, zeros.subarray(0, part.length))) return false;
  }
  return true;
}
