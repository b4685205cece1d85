import type { IncomingMessage } from "node:http";
import { concatBytes, crc32c, InvariantError, MalformedError } from "@conclave/base";
import type { Message } from "@conclave/raft";
import { plainBytes } from "./chunk-queue.ts";
import type { Home } from "./home.ts";
import { formatId } from "./member-id.ts";
import { decodeMessage } from "./message-codec.ts";
import { header } from "./peer-headers.ts";
import { readChunks } from "./request-body.ts";
import { databaseChecksumTrailer, formatChecksum } from "./snapshot-checksum.ts";
import { readLength } from "./stream-codec.ts";

/** Why a snapshot was not taken. */
export interface SnapshotFailure {
  /** The status to answer with. */
  readonly status: number;
  /** The reason in words. */
  readonly text: string;
}

/** Reads a snapshot with its database and hands it over; resolves with what went wrong, if anything did. */
export async function receiveSnapshot(request: IncomingMessage, home: Home): Promise<SnapshotFailure | undefined> {
  const { identity, receiver, limits, scheduler, log } = home;
  const body = new BodyReader(readChunks(request, { scheduler, idleMs: limits.bodyIdleMs }));
  try {
    const message = decodeMessage(await body.take(readLength(await body.take(8), limits.messageBytesMax)));
    if (message.type !== "MsgSnap") return { status: 400, text: "wrong raft message type" };
    if (message.to !== identity.memberId || receiver.wasRemoved(message.from))
      return { status: 500, text: "error processing raft message" };
    return await handOver(message, { request, body, home });
  } catch (error) {
    if (error instanceof MalformedError) {
      log.warn("refused a snapshot", { cause: error.message });
      return { status: 400, text: `failed to decode raft message (${error.message})` };
    }
    throw error;
  } finally {
    await body.close();
  }
}

async function handOver(
  message: Message,
  { request, body, home }: { request: IncomingMessage; body: BodyReader; home: Home },
): Promise<SnapshotFailure | undefined> {
  const fields = { peer: formatId(message.from), index: message.snapshot?.metadata.index };
  home.log.info("receiving a snapshot", fields);
  try {
    await home.receiver.onSnapshot(message, checked(request, body));
    home.log.info("received a snapshot", fields);
    return undefined;
  } catch (error) {
    if (error instanceof InvariantError) throw error;
    const cause = error instanceof Error ? error.message : String(error);
    home.log.warn("could not take a snapshot", { ...fields, cause });
    return { status: 500, text: `failed to save KV snapshot (${cause})` };
  }
}

/** The rest of a body; throws at its end if the checksum that follows it is another one. */
async function* checked(request: IncomingMessage, body: BodyReader): AsyncGenerator<Uint8Array> {
  let checksum = 0;
  for await (const chunk of body.rest()) {
    checksum = crc32c(chunk, checksum);
    yield chunk;
  }
  const expected = header(request.trailers, databaseChecksumTrailer.toLowerCase());
  if (expected !== undefined && expected !== formatChecksum(checksum))
    throw new Error(`the database has the checksum ${formatChecksum(checksum)}, it left with ${expected}`);
}

/** A body of which the beginning is read in pieces of known length. */
class BodyReader {
  readonly #chunks: AsyncGenerator<Uint8Array>;
  #ahead: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncGenerator<Uint8Array>) {
    this.#chunks = chunks;
  }

  async take(count: number): Promise<Uint8Array> {
    const parts = [this.#ahead];
    for (let bytes = this.#ahead.length; bytes < count; ) {
      const { done, value } = await this.#chunks.next();
      if (done === true) throw new MalformedError("unexpected EOF");
      parts.push(value);
      bytes += value.length;
    }
    const joined = plainBytes(concatBytes(parts));
    this.#ahead = joined.subarray(count);
    return joined.subarray(0, count);
  }

  async *rest(): AsyncGenerator<Uint8Array> {
    if (this.#ahead.length > 0) yield this.#ahead;
    this.#ahead = new Uint8Array(0);
    yield* this.#chunks;
  }

  async close(): Promise<void> {
    await this.#chunks.return(undefined);
  }
}
