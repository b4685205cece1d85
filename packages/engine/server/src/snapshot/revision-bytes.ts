const underscore = 0x5f;

/** A revision as a store keeps that of a compaction: `<main u64>_<0 u64>`, big-endian. */
export function compactionRevision(main: number): Uint8Array {
  const bytes = new Uint8Array(17);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(main));
  bytes[8] = underscore;
  return bytes;
}
