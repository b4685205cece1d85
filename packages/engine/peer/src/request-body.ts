import type { IncomingMessage } from "node:http";
import { MalformedError, type Scheduler } from "@conclave/base";
import { plainBytes } from "./chunk-queue.ts";

/** How patiently a body is read. */
export interface BodyOptions {
  /** Timers. */
  readonly scheduler: Scheduler;
  /** When nothing comes for so long, the connection is closed. Time in which nobody reads does not count. */
  readonly idleMs: number;
}

/** The chunks of a body, as they come and are taken. */
export async function* readChunks(
  request: IncomingMessage,
  { scheduler, idleMs }: BodyOptions,
): AsyncGenerator<Uint8Array> {
  const giveUp = () => request.destroy(new Error(`nothing came for ${idleMs} ms`));
  let timer = scheduler.after(idleMs, giveUp, { background: true });
  try {
    // Not destroyed when the reader has enough: a refusal goes out over the same connection.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      timer.cancel();
      yield plainBytes(chunk);
      timer = scheduler.after(idleMs, giveUp, { background: true });
    }
  } finally {
    timer.cancel();
  }
}

/**
 * Reads a body that must be small.
 *
 * @throws {@link MalformedError} if it is not
 */
export async function readBody(
  request: IncomingMessage,
  options: BodyOptions & { readonly bytesMax: number },
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of readChunks(request, options)) {
    bytes += chunk.length;
    if (bytes > options.bytesMax) throw new MalformedError(`the body has more than ${options.bytesMax} bytes`);
    chunks.push(chunk);
  }
  return plainBytes(Buffer.concat(chunks));
}
