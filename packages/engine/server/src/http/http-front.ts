/** @module Everything that is served over HTTP/1.1: the JSON gateway, and the endpoints of operators beside it. */
import type { RequestListener } from "node:http";
import { type AccessRules, admit } from "../gateway/access-control.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { namedCertificateRefusal } from "../gateway/named-certificate.ts";
import { type HttpExchange, reply } from "./http-answer.ts";
import type { HttpEndpoints } from "./http-endpoints.ts";

/** What HTTP/1.1 is answered with. */
export interface HttpFrontOptions {
  /** Who may ask; undefined: everyone, though no web page is told so. */
  readonly access: AccessRules | undefined;
  /** Answers below `/v3/`; undefined: nothing is there. */
  readonly gateway: Gateway | undefined;
  /** Whether certificates name users now, so that the gateway refuses them. Default: never. */
  readonly namesUsers?: () => boolean;
  /** Answers everything else. */
  readonly endpoints: HttpEndpoints;
}

/** The path and the query of a request's target, which a client may also send with its scheme and authority. */
function targetOf(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const [path = "", query = ""] = url.replace(/^https?:\/\/[^/?#]*/, "").split("?", 2);
  return { path, query: new URLSearchParams(query) };
}

function redirect({ response }: HttpExchange, location: string): void {
  response.writeHead(301, { location, "content-length": 0 }).end();
}

/** Creates the handler of HTTP/1.1 requests. Below `/v3beta/` the same is served as below `/v3/`. */
export function createHttpFront(options: HttpFrontOptions): RequestListener {
  const { access, gateway, endpoints, namesUsers = () => false } = options;
  return (request, response) => {
    if (access !== undefined && !admit(request, response, access)) return;
    const exchange = { request, response };
    const { path, query } = targetOf(request.url ?? "/");
    const current = path.replace(/^\/v3beta\//, "/v3/");
    if (gateway !== undefined && current.startsWith("/v3/")) {
      const refusal = namesUsers() ? namedCertificateRefusal(request) : undefined;
      if (refusal === undefined) gateway(exchange, current);
      else reply(response, refusal);
    } else if (gateway !== undefined && current === "/v3") redirect(exchange, "/v3/");
    else endpoints(exchange, path, query);
  };
}
