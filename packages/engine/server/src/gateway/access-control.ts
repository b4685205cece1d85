/** @module Who may ask over HTTP/1.1 from a browser: names of this server that requests may use, and origins. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** Whom a server answers. */
export interface AccessRules {
  /** Origins, as in `https://app.example`, whose pages may read answers; `*` or none: any. */
  readonly cors: readonly string[];
  /** Names that requests without TLS may call this server by; `*` or none: any. */
  readonly hostWhitelist: readonly string[];
}

const corsFields = {
  "access-control-allow-methods": "POST, GET, OPTIONS, PUT, DELETE",
  "access-control-allow-headers": "accept, content-type, authorization",
};

/** The name in a field `Host`, without the port and the brackets of an IPv6 address. */
function hostName(field: string): string {
  return /^\[(.*)\](:\d*)?$/.exec(field)?.[1] ?? field.replace(/:\d*$/, "");
}

function allowedOrigin({ cors }: AccessRules, origin: string | undefined): string | undefined {
  if (cors.length === 0 || cors.includes("*")) return "*";
  return origin !== undefined && cors.includes(origin) ? origin : undefined;
}

function refuseHost(response: ServerResponse, host: string): void {
  const body = `The host ${JSON.stringify(host)} is not one that this server goes by.
Name it in --host-whitelist, or use TLS: without one of them a web page could reach this server under a name of its own.
`;
  const fields = { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" };
  response.writeHead(421, fields).end(body);
}

/**
 * Holds a request to the rules. A page of another site that has its own name lead to this server (DNS rebinding) is
 * found out by the name.
 *
 * @returns whether to go on; if not, the request was answered
 */
export function admit(request: IncomingMessage, response: ServerResponse, rules: AccessRules): boolean {
  const host = hostName(request.headers.host ?? "");
  const { hostWhitelist } = rules;
  const anyHost = hostWhitelist.length === 0 || hostWhitelist.includes("*") || "encrypted" in request.socket;
  if (!anyHost && !hostWhitelist.includes(host)) {
    refuseHost(response, host);
    return false;
  }
  const origin = allowedOrigin(rules, request.headers.origin);
  if (origin !== undefined) {
    response.setHeader("access-control-allow-origin", origin);
    for (const [name, value] of Object.entries(corsFields)) response.setHeader(name, value);
  }
  if (request.method !== "OPTIONS") return true;
  response.writeHead(200).end();
  return false;
}
