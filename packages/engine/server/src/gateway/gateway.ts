/**
 * @module The JSON gateway: every method of the API under a path of its own, over HTTP/1.1.
 *
 * It is a transport like HTTP/2 and stands where that one does: a request becomes a call of the same services, with
 * the same guards, limits, deadlines and counters; only the bytes are JSON. A stream is a body of one JSON object
 * after the other, answered by one line for each response.
 */
import { GrpcStatus, httpRoutes, type MethodDefinition, services } from "@conclave/protocol";
import type { AcceptStream } from "@conclave/rpc";
import type { HttpExchange } from "../http/http-answer.ts";
import { isTimeoutMalformed } from "./call-fields.ts";
import { GatewayCall, type Route } from "./gateway-call.ts";
import { respondError } from "./gateway-stream.ts";

/** What a gateway needs. */
export interface GatewayOptions {
  /** Takes the calls. */
  readonly accept: AcceptStream;
  /** Longest request as JSON, in bytes; the message it stands for is held to the limit of all calls. */
  readonly maxJsonBytes: number;
}

/** Answers a request whose path begins with `/v3/`, such as `/v3/kv/put`. */
export type Gateway = (exchange: HttpExchange, path: string) => void;

const definitions: ReadonlyMap<string, MethodDefinition> = new Map(
  services.flatMap(({ fullName, methods }) =>
    Object.values(methods).map((definition) => [`/${fullName}/${definition.name}`, definition] as const),
  ),
);

function routeOf(path: string): Route | undefined {
  const method = httpRoutes.get(path);
  const definition = method === undefined ? undefined : definitions.get(method);
  return method === undefined || definition === undefined ? undefined : { method, definition };
}

/** Creates the gateway. Statuses and texts of refusals are etcd 3.5's. */
export function createGateway(options: GatewayOptions): Gateway {
  return (exchange, path) => {
    const { request, response } = exchange;
    const refuse = (code: GrpcStatus, message: string): void => respondError(response, { code, message });
    const route = routeOf(path);
    if (route === undefined) refuse(GrpcStatus.NotFound, "Not Found");
    else if (request.method !== "POST") refuse(GrpcStatus.Unimplemented, "Method Not Allowed");
    else if (isTimeoutMalformed(request.headers))
      refuse(GrpcStatus.InvalidArgument, `invalid grpc-timeout: ${request.headers["grpc-timeout"]}`);
    else new GatewayCall(exchange, route, options).start();
  };
}
