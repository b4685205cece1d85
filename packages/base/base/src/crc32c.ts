/**
 * @module CRC-32C (Castagnoli; reflected polynomial 0x82F63B78), the checksum of etcd's WAL, snapshots and
 * HashKV. Eight tables take eight input bytes a step ("slicing by eight", Kounavis and Berry 2005): about ten
 * times as fast in V8 as a byte at a time.
 */
const polynomial = 0x82f63b78;

function buildTables(): readonly Uint32Array[] {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  const [first] = tables as [Uint32Array];
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    first[byte] = crc;
  }
  for (let slice = 1; slice < 8; slice++) {
    const previous = tables[slice - 1] as Uint32Array;
    const table = tables[slice] as Uint32Array;
    for (let byte = 0; byte < 256; byte++) {
      const crc = previous[byte] as number;
      table[byte] = (crc >>> 8) ^ (first[crc & 0xff] as number);
    }
  }
  return tables;
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = buildTables() as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

/**
 * Extends a CRC-32C by some bytes.
 *
 * @param bytes - what to add
 * @param crc - the checksum so far, 0 for none: `crc32c(b, crc32c(a))` is the checksum of a followed by b
 * @returns the checksum, an unsigned 32-bit number
 * @see RFC 3720 appendix B.4 for test vectors
 */
export function crc32c(bytes: Uint8Array, crc = 0): number {
  let state = ~crc;
  let at = 0;
  const bulkEnd = bytes.length - 7;
  // Indexes are in bounds by the loop conditions; `as number` silences only the index signature.
  for (; at < bulkEnd; at += 8) {
    state ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    state =
      (t7[state & 0xff] as number) ^
      (t6[(state >>> 8) & 0xff] as number) ^
      (t5[(state >>> 16) & 0xff] as number) ^
      (t4[state >>> 24] as number) ^
      (t3[bytes[at + 4] as number] as number) ^
      (t2[bytes[at + 5] as number] as number) ^
      (t1[bytes[at + 6] as number] as number) ^
      (t0[bytes[at + 7] as number] as number);
  }
  for (; at < bytes.length; at++) state = (state >>> 8) ^ (t0[(state ^ (bytes[at] as number)) & 0xff] as number);
  return ~state >>> 0;
}
