/** @module A batch of writes cut into transactions of the size that the store takes. */
import { type Client, op } from "@conclave/client";

/** Writes all pairs, "at once". */
export async function writeInChunks(
  client: Client,
  pairs: readonly (readonly [string, string])[],
  options: { readonly size: number },
): Promise<void> {
  for (let at = 0; at < pairs.length; at += options.size) {
    const ops = pairs.slice(at, at + options.size).map(([key, value]) => op.put(key, value));
    await client
      .txn()
      .then(...ops)
      .commit();
  }
}
