import type { Message } from "@conclave/raft";
import type { Home } from "./home.ts";
import { encodeMessage } from "./message-codec.ts";
import { PeerError } from "./peer-error.ts";
import { identityHeaders } from "./peer-headers.ts";
import type { PeerUrls } from "./peer-urls.ts";

/** What a queue of posts is made of. */
export interface PostQueueOptions {
  /** The member at home. */
  readonly home: Home;
  /** Where the receiver is reached. */
  readonly urls: PeerUrls;
  /** A message was dropped or could not be delivered. */
  readonly onFailure: () => void;
}

/** The way for messages to a member without a stream: one POST each, few at a time, few waiting. */
export class PostQueue {
  readonly #options: PostQueueOptions;
  readonly #queue: Message[] = [];
  #posting = 0;
  #full = false;
  #closed = false;

  constructor(options: PostQueueOptions) {
    this.#options = options;
  }

  /** Queues a message; drops it if there is no room. */
  enqueue(message: Message): void {
    const { limits } = this.#options.home;
    if (this.#closed) return;
    if (this.#posting < limits.postsMax) void this.#drain(message);
    else if (this.#queue.length < limits.queuedPostsMax) this.#queue.push(message);
    else this.#onFull();
  }

  /** Drops what waits; what is on its way ends by itself. */
  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
  }

  #onFull(): void {
    if (this.#full) return;
    this.#full = true;
    this.#options.onFailure();
  }

  async #drain(first: Message): Promise<void> {
    this.#posting++;
    for (let message: Message | undefined = first; message !== undefined; message = this.#queue.shift())
      await this.#post(message);
    this.#posting--;
    this.#full = false;
  }

  async #post(message: Message): Promise<void> {
    const { home, urls, onFailure } = this.#options;
    const url = urls.current;
    const status = await this.#statusOf(message, url);
    if (this.#closed || status === 204) return;
    if (status === 403 || status === 410) home.onRemoved();
    urls.avoid(url);
    onFailure();
  }

  /** What a message was answered with; undefined if it was not. Why not is told by the streams of the same peer. */
  async #statusOf(message: Message, url: string): Promise<number | undefined> {
    const { identity, serverVersion, limits, http } = this.#options.home;
    try {
      const { status } = await http.exchange({
        url,
        method: "POST",
        path: "/raft",
        headers: { ...identityHeaders(identity, serverVersion), "Content-Type": "application/protobuf" },
        body: encodeMessage(message),
        timeoutMs: limits.dialTimeoutMs + limits.replyTimeoutMs,
        replyBytesMax: limits.callBytesMax,
      });
      return status;
    } catch (error) {
      if (error instanceof PeerError) return undefined;
      throw error;
    }
  }
}
