import { once } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";
import { crc32c } from "@conclave/base";
import type { Message } from "@conclave/raft";
import { FrameWriter } from "./frame-writer.ts";
import type { Home } from "./home.ts";
import { formatId } from "./member-id.ts";
import { writeMessageFrame } from "./message-stream.ts";
import { identityHeaders } from "./peer-headers.ts";
import type { OutgoingDatabase } from "./peer-network.ts";
import type { PeerUrls } from "./peer-urls.ts";
import { databaseChecksumTrailer, formatChecksum } from "./snapshot-checksum.ts";

/** What to send where; no `urls` if the receiver is no peer. */
export interface SnapshotDelivery {
  readonly database: OutgoingDatabase;
  readonly urls: PeerUrls | undefined;
}

interface SnapshotBody {
  readonly message: Message;
  readonly database: OutgoingDatabase;
  /** Ends the writing when nobody wants it any more. */
  readonly signal: AbortSignal;
}

/** Sends snapshots with their databases, piece by piece, as fast as the receiver takes them. */
export class SnapshotSender {
  readonly #home: Home;
  readonly #sending = new Map<bigint, Promise<void>>();
  #closed = false;

  constructor(home: Home) {
    this.#home = home;
  }

  /** Sends a snapshot and reports how it ended. One at a time for each receiver: a second one is a failure. */
  send(message: Message, delivery: SnapshotDelivery): void {
    const { to } = message;
    if (this.#sending.has(to) || this.#sending.size >= this.#home.limits.snapshotsMax) {
      void this.#refuse(to, delivery);
      return;
    }
    this.#sending.set(
      to,
      this.#deliver(message, delivery).finally(() => this.#sending.delete(to)),
    );
  }

  /** Reports nothing more, and resolves when nothing is under way any more; the way out must have been closed. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#sending.values());
  }

  async #refuse(to: bigint, { database }: SnapshotDelivery): Promise<void> {
    this.#report(to, "failure");
    await this.#release(to, database);
  }

  async #deliver(message: Message, delivery: SnapshotDelivery): Promise<void> {
    const { to } = message;
    this.#report(to, await this.#attempt(message, delivery));
    await this.#release(to, delivery.database);
  }

  async #attempt(message: Message, { database, urls }: SnapshotDelivery): Promise<"finish" | "failure"> {
    const { log } = this.#home;
    const fields = { peer: formatId(message.to), index: message.snapshot?.metadata.index, bytes: database.sizeBytes };
    const url = urls?.current;
    try {
      if (url === undefined) throw new Error("the receiver is not known");
      log.info("sending a snapshot", fields);
      await this.#post(message, { database, url });
      log.info("sent a snapshot", fields);
      return "finish";
    } catch (error) {
      if (url !== undefined) urls?.avoid(url);
      log.warn("could not send a snapshot", { ...fields, cause: error instanceof Error ? error.message : error });
      return "failure";
    }
  }

  #report(to: bigint, status: "finish" | "failure"): void {
    if (!this.#closed) this.#home.receiver.onSnapshotStatus(to, status);
  }

  async #release(to: bigint, database: OutgoingDatabase): Promise<void> {
    await database.release().catch((error: unknown) => {
      this.#home.log.warn("could not let go of a snapshot", { peer: formatId(to), cause: String(error) });
    });
  }

  async #post(message: Message, { database, url }: { database: OutgoingDatabase; url: string }): Promise<void> {
    const { http, identity, serverVersion, limits } = this.#home;
    const headers = {
      ...identityHeaders(identity, serverVersion),
      "Content-Type": "application/octet-stream",
      Trailer: databaseChecksumTrailer,
    };
    const request = http.open({ url, method: "POST", path: "/raft/snapshot", headers }, { reuse: false });
    const answered = once(request, "response") as Promise<[IncomingMessage]>;
    // An answer may come early, or an error while the body is still being written; then both speak of it.
    answered.catch(() => undefined);
    request.on("error", () => undefined);
    const stop = new AbortController();
    const writing = this.#write(request, { message, database, signal: stop.signal });
    try {
      await Promise.race([writing, answered]);
      const [response] = await this.#within(limits.replyTimeoutMs, request, answered);
      if (response.statusCode !== 204) throw new Error(`${response.statusCode} ${await textOf(response)}`);
    } finally {
      stop.abort();
      request.destroy();
      await writing.catch(() => undefined);
    }
  }

  async #write(request: ClientRequest, content: SnapshotBody): Promise<void> {
    const { bodyIdleMs } = this.#home.limits;
    const { signal } = content;
    const head = new FrameWriter();
    writeMessageFrame(head, content.message);
    request.write(head.finish());
    let checksum = 0;
    let bytes = 0;
    for await (const piece of content.database.read()) {
      checksum = crc32c(piece, checksum);
      bytes += piece.length;
      if (!request.write(piece)) await this.#within(bodyIdleMs, request, once(request, "drain", { signal }));
      signal.throwIfAborted();
    }
    if (bytes !== content.database.sizeBytes) throw new Error(`the database has ${bytes} bytes and not its size`);
    request.addTrailers({ [databaseChecksumTrailer]: formatChecksum(checksum) });
    request.end();
  }

  async #within<T>(timeoutMs: number, request: ClientRequest, step: Promise<T>): Promise<T> {
    const giveUp = () => request.destroy(new Error(`the receiver does nothing for ${timeoutMs} ms`));
    const timer = this.#home.scheduler.after(timeoutMs, giveUp, { background: true });
    try {
      return await step;
    } finally {
      timer.cancel();
    }
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  for await (const piece of response as AsyncIterable<string>) {
    text += piece;
    if (text.length > 200) break;
  }
  return text.slice(0, 200).trim();
}
