/** A member or cluster id as it stands in headers, paths and logs: hex without leading zeros. */
export function formatId(id: bigint): string {
  return id.toString(16);
}

/** The id that a text gives in hex, as long as it has 64 bits; undefined if it gives none. */
export function parseId(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined;
}
