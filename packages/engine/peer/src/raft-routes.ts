/** @module What etcd serves below `/raft`: messages, streams, snapshots and the probe. */

import type { IncomingMessage } from "node:http";
import { MalformedError } from "@conclave/base";
import type { Message } from "@conclave/raft";
import { type Answer, type Exchange, pathNotFound, textAnswer, wrongMethod } from "./answer.ts";
import type { Home } from "./home.ts";
import { formatId, parseId } from "./member-id.ts";
import { decodeMessage } from "./message-codec.ts";
import { header, incompatibility, senderOf } from "./peer-headers.ts";
import { readBody } from "./request-body.ts";
import { receiveSnapshot } from "./snapshot-receiver.ts";
import type { StreamKind } from "./stream-reader.ts";
import type { Transport } from "./transport.ts";

const streamKinds: ReadonlyMap<string, StreamKind> = new Map([
  ["/raft/stream/msgapp/", "msgapp"],
  ["/raft/stream/message/", "message"],
]);

const nothingToSay: Answer = { status: 204, headers: {}, body: "" };

/** Answers what other members send on behalf of raft. */
export class RaftRoutes {
  readonly #home: Home;
  readonly #transport: Transport;
  #snapshots = 0;

  constructor(home: Home, transport: Transport) {
    this.#home = home;
    this.#transport = transport;
  }

  /** The answer; undefined if the body of the response has become a stream. */
  async answer(exchange: Exchange): Promise<Answer | undefined> {
    const { path } = exchange;
    if (path === "/raft") return this.#onMessage(exchange);
    if (path === "/raft/snapshot") return this.#onSnapshot(exchange);
    if (path === "/raft/probing") return this.#onProbe();
    if (path.startsWith("/raft/stream/")) return this.#onStream(exchange);
    return pathNotFound;
  }

  #onProbe(): Answer {
    const now = new Date(this.#home.clock.wallMs()).toISOString();
    return {
      status: 200,
      headers: { "Content-Type": "text/plain; charset=utf-8" },
      body: `{"OK":true,"Now":"${now}"}\n`,
    };
  }

  async #onMessage({ request }: Exchange): Promise<Answer> {
    if (request.method !== "POST") return wrongMethod("POST");
    const headers = this.#clusterHeader();
    const refusal = this.#refusalOf(request, headers);
    if (refusal !== undefined) return refusal;
    this.#noteSender(request);
    const message = await this.#readMessage(request);
    if (message === undefined) return textAnswer(400, "error unmarshalling raft message", headers);
    // etcd means a 403 here and gives this; its members know no other.
    if (!this.#transport.deliver(message)) return textAnswer(500, "error processing raft message", headers);
    return { ...nothingToSay, headers };
  }

  async #readMessage(request: IncomingMessage): Promise<Message | undefined> {
    const { scheduler, limits } = this.#home;
    try {
      const options = { scheduler, idleMs: limits.streamIdleMs, bytesMax: limits.messageBytesMax };
      return decodeMessage(await readBody(request, options));
    } catch (error) {
      if (error instanceof MalformedError) return undefined;
      throw error;
    }
  }

  async #onSnapshot({ request }: Exchange): Promise<Answer> {
    if (request.method !== "POST") return wrongMethod("POST");
    const headers = this.#clusterHeader();
    const refusal = this.#refusalOf(request, headers);
    if (refusal !== undefined) return refusal;
    this.#noteSender(request);
    if (this.#snapshots >= this.#home.limits.snapshotsMax)
      return textAnswer(500, "too many snapshots at once", headers);
    this.#snapshots++;
    try {
      const failure = await receiveSnapshot(request, this.#home);
      return failure === undefined ? { ...nothingToSay, headers } : textAnswer(failure.status, failure.text, headers);
    } finally {
      this.#snapshots--;
    }
  }

  #onStream({ request, path, response }: Exchange): Answer | undefined {
    if (request.method !== "GET") return wrongMethod("GET");
    const { identity, serverVersion, receiver } = this.#home;
    const headers = { "X-Server-Version": serverVersion, ...this.#clusterHeader() };
    const refusal = this.#refusalOf(request, headers);
    if (refusal !== undefined) return refusal;
    const split = path.lastIndexOf("/") + 1;
    const kind = streamKinds.get(path.slice(0, split));
    if (kind === undefined) return textAnswer(404, "invalid path", headers);
    const from = parseId(path.slice(split));
    if (from === undefined) return textAnswer(404, "invalid from", headers);
    if (receiver.wasRemoved(from)) return textAnswer(410, "removed member", headers);
    if (!this.#transport.isPeer(from)) {
      this.#noteSender(request);
      this.#warn(request, "the sender is no member");
      return textAnswer(404, "error sender not found", headers);
    }
    if (header(request.headers, "x-raft-to") !== formatId(identity.memberId)) {
      this.#warn(request, "it is for another member");
      return textAnswer(412, "to field mismatch", headers);
    }
    response.writeHead(200, headers);
    response.flushHeaders();
    this.#transport.attach(from, { kind, response });
    return undefined;
  }

  /** The refusal of a request from another cluster or version. */
  #refusalOf(request: IncomingMessage, headers: Readonly<Record<string, string>>): Answer | undefined {
    const { identity, serverVersion } = this.#home;
    const cause = incompatibility(request.headers, { clusterId: identity.clusterId, serverVersion });
    if (cause === undefined) return undefined;
    this.#warn(request, cause);
    return textAnswer(412, cause, headers);
  }

  #warn(request: IncomingMessage, cause: string): void {
    // A stranger goes by its address: it could give itself another id each time, and fill the log.
    const id = parseId(header(request.headers, "x-server-from"));
    const isKnown = id !== undefined && this.#transport.isPeer(id);
    const peer = isKnown ? formatId(id) : (request.socket.remoteAddress ?? "unknown");
    this.#home.faults.warn({ message: "refused a member", peer, cause });
  }

  #noteSender(request: IncomingMessage): void {
    const sender = senderOf(request.headers);
    if (sender !== undefined) this.#transport.addRemote(sender.id, sender.urls);
  }

  #clusterHeader(): Readonly<Record<string, string>> {
    return { "X-Etcd-Cluster-ID": formatId(this.#home.identity.clusterId) };
  }
}
