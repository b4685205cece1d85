/** @module What operators and their tools ask over plain HTTP: version, health and metrics. */

import type { Member } from "../member.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { conclaveVersion, etcdApiVersion } from "../version.ts";
import { type HealthChecks, health, healthRoutes } from "./health-checks.ts";
import { type Answer, type HttpExchange, reply, text } from "./http-answer.ts";

/** What the endpoints speak of. */
export interface HttpEndpointsOptions {
  readonly member: Member;
  readonly metrics: Metrics;
  readonly checks: HealthChecks;
  /** Which of them are served: all, or what a monitoring system asks. */
  readonly scope: "all" | "monitoring";
}

/** Answers a request for a path, without its query. */
export type HttpEndpoints = (exchange: HttpExchange, path: string, query: URLSearchParams) => void;

interface Endpoint {
  readonly answer: (query: URLSearchParams) => Answer | Promise<Answer>;
  /** Whether other verbs than GET are answered alike, as etcd does for metrics. */
  readonly anyVerb?: boolean;
}

/** Said to clients of the v2 API, which etcd answers like any path that it does not know. */
const goneApi = "404 page not found: the v2 API is gone, use the v3 API: POST /v3/kv/range, /v3/kv/put and so on\n";

function versionAnswer(member: Member): Answer {
  const body = {
    etcdserver: etcdApiVersion,
    etcdcluster: member.membership.clusterVersion ?? "not_decided",
    storage: etcdApiVersion,
    conclave: conclaveVersion,
  };
  return { status: 200, contentType: "application/json", body: JSON.stringify(body) };
}

function endpoints({ member, metrics, checks, scope }: HttpEndpointsOptions): ReadonlyMap<string, Endpoint> {
  const all = new Map<string, Endpoint>([
    ["/health", { answer: (query) => health(checks, query) }],
    ...healthRoutes(checks).map(([path, answer]) => [path, { answer }] as const),
    [
      "/metrics",
      {
        answer: async () => ({ status: 200, contentType: metrics.contentType, body: await metrics.render() }),
        anyVerb: true,
      },
    ],
  ]);
  if (scope === "all") all.set("/version", { answer: () => versionAnswer(member) });
  return all;
}

/** Creates what answers all but the gateway's paths. */
export function createHttpEndpoints(options: HttpEndpointsOptions): HttpEndpoints {
  const byPath = endpoints(options);
  return ({ request, response }, path, query) => {
    const endpoint = byPath.get(path);
    if (endpoint === undefined) {
      reply(response, text(404, path.startsWith("/v2/") ? goneApi : "404 page not found\n"));
      return;
    }
    if (request.method !== "GET" && endpoint.anyVerb !== true) {
      response.setHeader("allow", "GET");
      reply(response, text(405, "Method Not Allowed\n"));
      return;
    }
    Promise.resolve(endpoint.answer(query)).then(
      (answer) => reply(response, answer),
      (error: unknown) => {
        options.member.ports.log.error("an HTTP endpoint failed", { path, error: String(error) });
        reply(response, text(500, "Internal Server Error\n"));
      },
    );
  };
}
