/**
 * @module The checksum of a database on its way. etcd's protocol has none, so it travels as a trailer of the HTTP
 * body, which etcd passes over, and is checked if it is there.
 */

/** The trailer: the CRC-32C of the database's bytes. */
export const databaseChecksumTrailer = "X-Database-Crc32c";

/** A checksum as it stands in the trailer. */
export function formatChecksum(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}
