import type { ServerResponse } from "node:http";
import type { Message } from "@conclave/raft";
import { AppendStreamEncoder } from "./append-stream.ts";
import type { Home } from "./home.ts";
import { formatId } from "./member-id.ts";
import { messageStreamEncoder } from "./message-stream.ts";
import { OutgoingStream } from "./outgoing-stream.ts";
import { PeerCounters } from "./peer-counters.ts";
import { PeerUrls } from "./peer-urls.ts";
import { PostQueue } from "./post-queue.ts";
import { Prober } from "./prober.ts";
import { type StreamKind, StreamReader } from "./stream-reader.ts";

const kinds: readonly StreamKind[] = ["msgapp", "message"];
const unheard = "cannot hear a peer";

/** What a peer is made of. */
export interface PeerOptions {
  /** The member at home. */
  readonly home: Home;
  /** The other member. */
  readonly id: bigint;
  /** Where it is reached. */
  readonly urls: readonly string[];
  /** Takes each message that comes from it. */
  readonly onMessage: (message: Message) => void;
}

/** The ways to and from one other member. */
export class Peer {
  /** Where it is reached. */
  readonly urls: PeerUrls;
  /** What goes to and comes from it. */
  readonly counters: PeerCounters = new PeerCounters();
  readonly #options: PeerOptions;
  readonly #readers: readonly StreamReader[];
  readonly #prober: Prober;
  readonly #posts: PostQueue;
  readonly #outgoing = new Map<StreamKind, OutgoingStream>();
  readonly #readable = new Set<StreamKind>();
  #activeSinceMs: number | undefined;
  #heard = false;
  #closed = false;

  constructor(options: PeerOptions) {
    const { home, id, onMessage } = options;
    this.#options = options;
    this.urls = new PeerUrls(options.urls);
    const { urls, counters } = this;
    this.#prober = new Prober({ home, peer: id, urls, counters });
    this.#posts = new PostQueue({ home, urls, onFailure: () => this.#onUnreachable() });
    this.#readers = kinds.map(
      (kind) =>
        new StreamReader({
          home,
          peer: id,
          urls,
          kind,
          counters,
          onMessage,
          onUp: () => this.#onUp(kind),
          onSteady: () => this.#onSteady(),
          onDown: (cause) => this.#onDown(kind, cause),
        }),
    );
  }

  /** Since when (monotonic, in ms) the member is heard; undefined while it is not. */
  get activeSinceMs(): number | undefined {
    return this.#activeSinceMs;
  }

  /** Begins to dial the streams. */
  start(): void {
    for (const reader of this.#readers) reader.start();
    this.#prober.start();
  }

  /** Queues a message for the way that suits it best. */
  enqueue(message: Message): void {
    const [appends, others] = [this.#outgoing.get("msgapp"), this.#outgoing.get("message")];
    const stream = message.type === "MsgApp" ? (appends ?? others) : others;
    (stream ?? this.#posts).enqueue(message);
  }

  /** Sends what is queued. */
  flush(): void {
    for (const stream of this.#outgoing.values()) stream.flush();
  }

  /** Says on every stream that this member is there. */
  keepAlive(): void {
    for (const stream of this.#outgoing.values()) stream.keepAlive();
  }

  /** Takes the body of a stream that the member has dialled; the one before is given up. */
  attach(kind: StreamKind, response: ServerResponse): void {
    const { home, id } = this.#options;
    const { counters } = this;
    const onFull = () => {
      home.faults.warn({ message: "dropped messages", peer: formatId(id), cause: `the ${kind} stream is full` });
      this.#onUnreachable();
    };
    const encoder = kind === "msgapp" ? new AppendStreamEncoder() : messageStreamEncoder;
    const stream = new OutgoingStream({ response, encoder, limits: home.limits, clock: home.clock, counters, onFull });
    home.faults.clear({ message: "refused a member", peer: formatId(id) });
    this.#outgoing.get(kind)?.destroy();
    this.#outgoing.set(kind, stream);
    response.on("close", () => {
      if (this.#outgoing.get(kind) === stream) this.#outgoing.delete(kind);
      // What was under way is lost; raft asks from where to go on.
      this.#onUnreachable();
    });
  }

  /** Stops to listen to the member, and ends the streams to it once what is queued was sent. */
  end(): void {
    this.#closed = true;
    this.#stopAsking();
    for (const stream of this.#outgoing.values()) stream.end();
  }

  /** Gives up everything. */
  close(): void {
    this.#closed = true;
    this.#stopAsking();
    this.#posts.close();
    for (const stream of this.#outgoing.values()) stream.destroy();
  }

  #onUnreachable(): void {
    if (this.#closed) return;
    this.counters.sendFailures++;
    this.#options.home.receiver.onUnreachable(this.#options.id);
  }

  #stopAsking(): void {
    this.#prober.close();
    for (const reader of this.#readers) reader.close();
  }

  #onUp(kind: StreamKind): void {
    this.#readable.add(kind);
    this.#activeSinceMs ??= this.#options.home.clock.monotonicMs();
  }

  /** Only now all is well: a stream that opens and breaks ten times a second is still the same fault. */
  #onSteady(): void {
    const { home, id } = this.#options;
    home.faults.clear({ message: unheard, peer: formatId(id) });
    if (this.#heard) return;
    this.#heard = true;
    home.log.info("hears a peer", { peer: formatId(id) });
  }

  #onDown(kind: StreamKind, cause: string): void {
    const { home, id } = this.#options;
    home.faults.warn({ message: unheard, peer: formatId(id), cause });
    this.#readable.delete(kind);
    if (this.#readable.size > 0) return;
    this.#activeSinceMs = undefined;
    this.#heard = false;
  }
}
