/** @module Requests as a stranger would write them, for what a well-behaved network never sends. */
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";

/** A request. */
export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Uint8Array | string;
}

/** Its answer. */
export interface RawReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Sends a request over a connection of its own. A connection that breaks after the head still gives an answer. */
export function rawRequest(url: string, { method, path, headers, body }: RawRequest): Promise<RawReply> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "Content-Length": Buffer.from(body).length };
    const sent = request({ host: hostname, port, method, path, agent: false, headers: { ...headers, ...length } });
    sent.on("error", reject);
    sent.on("response", (response) => {
      const chunks: Buffer[] = [];
      const done = () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        // Where etcd fails, it says so, and leaves the answer without an end for some seconds.
        if (response.statusCode === 500) sent.destroy();
      });
      response.on("error", () => undefined);
      response.on("close", done);
    });
    sent.end(body);
  });
}

/** The first bytes of an endless answer; the connection is then given up. */
export function firstBytes(url: string, { method, path, headers }: RawRequest): Promise<RawReply> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ host: hostname, port, method, path, agent: false, headers: { ...headers } });
    sent.on("error", reject);
    sent.on("response", (response) => {
      response.on("error", () => undefined);
      response.once("data", (body: Buffer) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        sent.destroy();
      });
    });
    sent.end();
  });
}
