import type { IncomingMessage, ServerResponse } from "node:http";

/** A request and its response, of which nothing was sent. */
export interface HttpExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** A whole response. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** An answer in plain text. */
export function text(status: number, body: string): Answer {
  return { status, contentType: "text/plain; charset=utf-8", body };
}

/** Sends an answer, unless the client is gone. */
export function reply(response: ServerResponse, { status, contentType, body }: Answer): void {
  if (response.destroyed) return;
  if (status >= 400) response.setHeader("x-content-type-options", "nosniff");
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) }).end(body);
}
