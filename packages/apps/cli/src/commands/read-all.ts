import type { Readable } from "node:stream";
import { concatBytes, utf8 } from "@conclave/base";

/** Everything that a stream holds until its end. */
export async function readAll(stream: Readable): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream as AsyncIterable<Uint8Array | string>)
    chunks.push(typeof chunk === "string" ? utf8(chunk) : chunk);
  return concatBytes(chunks);
}
