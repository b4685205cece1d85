/** @module What a proxy answers over HTTP/1.1: its health and the metrics, as etcd's does. */
import { readFileSync } from "node:fs";
import { type IncomingMessage, type RequestListener, request as requestHttp, type ServerResponse } from "node:http";
import { type RequestOptions, request as requestHttps } from "node:https";
import type { TlsOptions } from "@conclave/client";

/** What is answered. */
export interface ProxyHttpOptions {
  /** Whether a member answers. */
  readonly isHealthy: () => Promise<boolean>;
  /** The proxy's own metrics, in Prometheus' text format. */
  readonly metrics: () => string;
  /** The members' addresses as URLs, the one to ask first first. */
  readonly memberUrls: () => readonly string[];
  /** How they are to be verified. */
  readonly tls: TlsOptions;
}

/** A member's metrics at most, in bytes. */
const metricsBytesMax = 16 * 1024 * 1024;
/** Time for a member to answer, in milliseconds. */
const memberTimeoutMs = 5_000;
const metricsType = "text/plain; version=0.0.4";

/** Answers `/health` and `/proxy/health`, `/metrics` with a member's and `/proxy/metrics` with the proxy's own. */
export function createProxyHttp(options: ProxyHttpOptions): RequestListener {
  return (request, response) => {
    answer(options, request, response).catch(() => response.destroy());
  };
}

async function answer(options: ProxyHttpOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? "").split("?")[0];
  if (path === "/health" || path === "/proxy/health") await answerHealth(options, request, response);
  else if (path === "/metrics") await answerMemberMetrics(options, response);
  else if (path === "/proxy/metrics") send(response, { status: 200, type: metricsType, body: options.metrics() });
  else send(response, { status: 404, body: "404 page not found\n" });
}

async function answerHealth(
  { isHealthy }: ProxyHttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== "GET") {
    response.setHeader("Allow", "GET");
    send(response, { status: 405, body: "Method Not Allowed\n" });
  } else if (await isHealthy()) send(response, { status: 200, body: '{"health":"true","reason":""}' });
  else send(response, { status: 503, body: '{"health":"false","reason":"no member answers"}' });
}

async function answerMemberMetrics(options: ProxyHttpOptions, response: ServerResponse): Promise<void> {
  for (const url of options.memberUrls()) {
    try {
      const body = await fetchText(`${url}/metrics`, options.tls);
      send(response, { status: 200, type: metricsType, body });
      return;
    } catch {
      // Another member may answer; if none does, that is said below.
    }
  }
  send(response, { status: 500, body: "no member answers\n" });
}

interface Reply {
  readonly status: number;
  readonly type?: string;
  readonly body: string;
}

function send(response: ServerResponse, { status, type = "text/plain; charset=utf-8", body }: Reply): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) }).end(body);
}

function fetchText(url: string, tls: TlsOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const onResponse = (response: IncomingMessage): void => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > metricsBytesMax) response.destroy(new Error("the member's metrics are too long"));
      });
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString());
        else reject(new Error(`status ${response.statusCode}`));
      });
    };
    const signal = AbortSignal.timeout(memberTimeoutMs);
    const request = url.startsWith("https:")
      ? requestHttps(url, { signal, ...requestTls(tls) }, onResponse)
      : requestHttp(url, { signal }, onResponse);
    request.on("error", reject);
    request.end();
  });
}

function requestTls({ ca, cert, key, insecureSkipVerify = false }: TlsOptions): RequestOptions {
  return { ca: pemOf(ca), cert: pemOf(cert), key: pemOf(key), rejectUnauthorized: !insecureSkipVerify };
}

function pemOf(source: TlsOptions["ca"]): string | Buffer | undefined {
  if (source === undefined || typeof source === "string") return source;
  return "path" in source ? readFileSync(source.path) : Buffer.from(source);
}
