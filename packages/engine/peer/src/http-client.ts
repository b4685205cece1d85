/** @module HTTP/1.1 to other members: requests with a time limit, all of which end when the client is closed. */
import { Agent, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import type { Scheduler } from "@conclave/base";
import { plainBytes } from "./chunk-queue.ts";
import type { PeerTlsClient } from "./options.ts";
import { PeerError } from "./peer-error.ts";
import { parsePeerUrl } from "./peer-url.ts";

/** What to ask of whom. */
export interface HttpCall {
  /** The peer URL. */
  readonly url: string;
  /** The method. */
  readonly method: "GET" | "POST";
  /** The path. */
  readonly path: string;
  /** The headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A call whose body and answer are small. */
export interface HttpExchange extends HttpCall {
  /** What is sent; default: nothing. */
  readonly body?: Uint8Array;
  /** After how many milliseconds to give up. */
  readonly timeoutMs: number;
  /** A larger answer is refused. */
  readonly replyBytesMax: number;
}

/** An answer. */
export interface HttpReply {
  /** Its status. */
  readonly status: number;
  /** Its headers, their names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Its body. */
  readonly body: Uint8Array;
}

/** Reaches other members. */
export class HttpClient {
  readonly #scheduler: Scheduler;
  readonly #tls: PeerTlsClient | undefined;
  readonly #agent = new Agent({ keepAlive: true });
  /** Without sessions: whoever answers is verified anew. */
  readonly #secureAgent = new SecureAgent({ keepAlive: true, maxCachedSessions: 0 });
  readonly #requests = new Set<ClientRequest>();
  #closed = false;

  constructor(scheduler: Scheduler, tls?: PeerTlsClient) {
    this.#scheduler = scheduler;
    this.#tls = tls;
  }

  /**
   * Sends a request and waits for the whole answer.
   *
   * @throws PeerError `UNREACHABLE` if there is none in time, `MALFORMED` if it is too large
   */
  async exchange(exchange: HttpExchange): Promise<HttpReply> {
    const { timeoutMs, body, headers, replyBytesMax } = exchange;
    // Said in so many words, as node:http expects no body of a GET, and one call has it.
    const length = body === undefined ? {} : { "Content-Length": `${body.length}` };
    const giveUp = () => call?.destroy(new Error(`no answer after ${timeoutMs} ms`));
    const timer = this.#scheduler.after(timeoutMs, giveUp, { background: true });
    let call: ClientRequest | undefined;
    try {
      call = this.open({ ...exchange, headers: { ...headers, ...length } }, { reuse: true });
      const answered = responseTo(call);
      call.end(body);
      const response = await answered;
      return {
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: await collect(response, replyBytesMax),
      };
    } catch (error) {
      call?.destroy();
      throw error instanceof PeerError ? error : unreachable(exchange, error);
    } finally {
      timer.cancel();
    }
  }

  /**
   * Begins a request; the caller writes its body, ends it and deals with its events.
   *
   * @throws RangeError if the URL is none
   * @param options - `reuse`: over a connection that may have served before and may serve again
   */
  open(call: HttpCall, options: { readonly reuse: boolean }): ClientRequest {
    const { url, method, path, headers } = call;
    const { address, secure } = parsePeerUrl(url);
    const common = { ...address, method, path, headers: { ...headers } };
    const opened = secure
      ? secureRequest({ ...this.#tls?.connectionOptions(), ...common, agent: options.reuse && this.#secureAgent })
      : request({ ...common, agent: options.reuse && this.#agent });
    this.#requests.add(opened);
    opened.on("close", () => this.#requests.delete(opened));
    if (this.#closed) opened.destroy(new Error("the way to other members is closed"));
    return opened;
  }

  /** Ends everything that is under way, and resolves when it has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    const ended = [...this.#requests].map((opened) => new Promise((resolve) => opened.on("close", resolve)));
    for (const opened of this.#requests) opened.destroy(new Error("the way to other members is closed"));
    this.#agent.destroy();
    this.#secureAgent.destroy();
    await Promise.all(ended);
  }
}

/** What a request is answered with; rejects if it ends without an answer. */
function responseTo(call: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    call.on("response", resolve);
    call.on("error", reject);
    call.on("close", () => reject(new Error("the connection was closed")));
  });
}

async function collect(response: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new PeerError("MALFORMED", `Cannot take an answer of more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return plainBytes(Buffer.concat(chunks));
}

function unreachable({ method, url, path }: HttpCall, cause: unknown): PeerError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PeerError("UNREACHABLE", `Cannot ${method} ${url}${path}: ${reason}`, { cause });
}
