import type { ClientRequest, IncomingMessage } from "node:http";
import { MalformedError, type Timer } from "@conclave/base";
import type { Message } from "@conclave/raft";
import { appendStreamDecoder } from "./append-stream.ts";
import type { Home } from "./home.ts";
import { formatId } from "./member-id.ts";
import { messageStreamDecoder } from "./message-stream.ts";
import type { PeerCounters } from "./peer-counters.ts";
import { identityHeaders, streamObjection } from "./peer-headers.ts";
import type { PeerUrls } from "./peer-urls.ts";
import type { StreamDecoder } from "./stream-codec.ts";

/** The streams that a member has to offer: one for appends, one for the rest. */
export type StreamKind = "msgapp" | "message";

/** A stream that lasts for so many waits between dials is no part of a series of failures. */
const steadyRedials = 10;
/** An answer to a dial is cut off here; a refusal is one line. */
const refusalCharsMax = 200;

/** What a reader is made of. */
export interface StreamReaderOptions {
  /** The member at home. */
  readonly home: Home;
  /** The member that writes. */
  readonly peer: bigint;
  /** Where it is reached. */
  readonly urls: PeerUrls;
  /** Which of its streams. */
  readonly kind: StreamKind;
  /** Counts what comes. */
  readonly counters: PeerCounters;
  /** Takes each message. */
  readonly onMessage: (message: Message) => void;
  /** The stream is there. */
  readonly onUp: () => void;
  /** It has brought something and has lasted for a while. */
  readonly onSteady: () => void;
  /** The stream was lost or could not be had, and why. */
  readonly onDown: (cause: string) => void;
}

/** Dials a stream of a peer and reads it; when it is lost, dials again, until the reader is closed. */
export class StreamReader {
  readonly #options: StreamReaderOptions;
  #request: ClientRequest | undefined;
  #timer: Timer | undefined;
  #openedMs = 0;
  #heardMs = 0;
  #steady = false;
  #closed = false;

  constructor(options: StreamReaderOptions) {
    this.#options = options;
  }

  /** Dials for the first time. */
  start(): void {
    this.#dial();
  }

  /** Gives up the stream, and does not dial again. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#request?.destroy();
  }

  #dial(): void {
    const { home, urls, kind, peer } = this.#options;
    const { identity, serverVersion, limits } = home;
    const url = urls.current;
    const path = `/raft/stream/${kind}/${formatId(identity.memberId)}`;
    const headers = { ...identityHeaders(identity, serverVersion), "X-Raft-To": formatId(peer) };
    try {
      const request = home.http.open({ url, method: "GET", path, headers }, { reuse: false });
      this.#request = request;
      let cause: unknown = "the stream was closed";
      request.on("error", (error) => {
        cause = error;
      });
      request.on("close", () => this.#onLost(url, cause));
      request.on("response", (response) => this.#onResponse(request, response));
      request.end();
      this.#schedule(limits.dialTimeoutMs, () =>
        request.destroy(new Error(`no answer after ${limits.dialTimeoutMs} ms`)),
      );
    } catch (error) {
      this.#onLost(url, error);
    }
  }

  #onResponse(request: ClientRequest, response: IncomingMessage): void {
    const { home, onUp } = this.#options;
    // A connection that breaks shows as the end of the request; here it would be told twice.
    response.on("error", () => undefined);
    if (response.statusCode !== 200) {
      this.#onRefusal(request, response);
      return;
    }
    const objection = streamObjection(response.headers, home.identity.clusterId);
    if (objection !== undefined) {
      request.destroy(new Error(objection));
      return;
    }
    const decoder = this.#decoder();
    this.#openedMs = home.clock.monotonicMs();
    this.#heardMs = this.#openedMs;
    this.#steady = false;
    response.on("data", (chunk: Uint8Array) => this.#onData(request, decoder, chunk));
    this.#watchSilence(request, home.limits.streamIdleMs);
    onUp();
  }

  #onRefusal(request: ClientRequest, response: IncomingMessage): void {
    const { statusCode = 0 } = response;
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => {
      text = (text + chunk).slice(0, refusalCharsMax);
    });
    response.on("end", () => request.destroy(new Error(`${statusCode} ${text.trim()}`)));
    if (statusCode !== 410) return;
    this.close();
    this.#options.home.onRemoved();
  }

  #decoder(): StreamDecoder {
    const { home, peer, kind, onMessage } = this.#options;
    const bytesMax = home.limits.messageBytesMax;
    if (kind === "message") return messageStreamDecoder({ onMessage, bytesMax });
    return appendStreamDecoder({ from: peer, to: home.identity.memberId, onMessage, bytesMax });
  }

  #onData(request: ClientRequest, decoder: StreamDecoder, chunk: Uint8Array): void {
    // After the end a chunk may still be on its way through the parser of node:http.
    if (this.#closed || request.destroyed) return;
    this.#heardMs = this.#options.home.clock.monotonicMs();
    this.#options.counters.receivedBytes += chunk.length;
    try {
      decoder.push(chunk);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      request.destroy(error);
      return;
    }
    if (!this.#steady) this.#maybeBecomeSteady();
  }

  #maybeBecomeSteady(): void {
    const { home, onSteady } = this.#options;
    if (this.#heardMs - this.#openedMs < steadyRedials * home.limits.redialMs) return;
    this.#steady = true;
    onSteady();
  }

  /** A stall of this process is not the peer's silence: what waits in the socket is read before it is judged. */
  #watchSilence(request: ClientRequest, afterMs: number): void {
    const { clock, scheduler, limits } = this.#options.home;
    this.#schedule(afterMs, () =>
      scheduler.atTurnEnd(() => {
        if (request !== this.#request || this.#closed) return;
        const leftMs = this.#heardMs + limits.streamIdleMs - clock.monotonicMs();
        if (leftMs > 0) this.#watchSilence(request, leftMs);
        else request.destroy(new Error(`nothing came for ${limits.streamIdleMs} ms`));
      }),
    );
  }

  #onLost(url: string, cause: unknown): void {
    this.#request = undefined;
    this.#timer?.cancel();
    if (this.#closed) return;
    const { home, urls, onDown } = this.#options;
    urls.avoid(url);
    onDown(cause instanceof Error ? cause.message : String(cause));
    // Spread, so that members that lost each other at the same moment do not knock at the same moment.
    this.#schedule(home.limits.redialMs * (0.5 + home.random.fraction()), () => this.#dial());
  }

  #schedule(delayMs: number, task: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#options.home.scheduler.after(delayMs, task, { background: true });
  }
}
