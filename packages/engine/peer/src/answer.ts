import type { IncomingMessage, ServerResponse } from "node:http";

/** A request and where its answer goes. */
export interface Exchange {
  /** The request. */
  readonly request: IncomingMessage;
  /** Its path, without a query. */
  readonly path: string;
  /** The way to answer by more than an {@link Answer}. */
  readonly response: ServerResponse;
}

/** What a request is answered with. */
export interface Answer {
  /** The status. */
  readonly status: number;
  /** Its headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its body. */
  readonly body: string | Uint8Array;
}

/** An answer in words, in the form in which etcd words them. */
export function textAnswer(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Answer {
  const type = { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff" };
  return { status, headers: { ...headers, ...type }, body: `${text}\n` };
}

/** The answer to a request that came with a method other than the one there is. The lease endpoints do not name it. */
export function wrongMethod(allowed?: "GET" | "POST"): Answer {
  return textAnswer(405, "Method Not Allowed", allowed === undefined ? {} : { Allow: allowed });
}

/** The answer for a path that leads nowhere. */
export const pathNotFound: Answer = textAnswer(404, "404 page not found");

/**
 * Sends an answer. A body of the request that nobody has read is not read now: the connection is closed after the
 * answer, so that a refused sender cannot go on sending.
 */
export function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: Answer,
): void {
  if (response.destroyed || response.headersSent) return;
  const hasBody = request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
  if (hasBody && !request.readableEnded) response.setHeader("Connection", "close");
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const length = status === 204 ? {} : { "Content-Length": bytes.length };
  response.writeHead(status, { ...headers, ...length });
  response.end(bytes);
}
