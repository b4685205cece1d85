/** @module What operators and their tools ask over plain HTTP on the client port: version, health and metrics. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { AlarmType } from "@conclave/protocol/etcdserverpb";
import type { Member } from "./member.ts";
import type { Metrics } from "./metrics.ts";
import { conclaveVersion, etcdApiVersion } from "./version.ts";

/** What the endpoints speak of. */
export interface HttpEndpointsOptions {
  readonly member: Member;
  readonly metrics: Metrics;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

type Check = (member: Member) => Promise<string | undefined>;

/** Each check gives the reason it failed for, or undefined. */
const checks = {
  data_corruption: async (member) =>
    member.alarms.isActive(AlarmType.CORRUPT) ? "alarm activated: CORRUPT" : undefined,
  serializable_read: async () => undefined,
  linearizable_read: async (member) => {
    try {
      await member.linearizable();
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  },
  non_learner: async (member) =>
    member.membership.member(member.id)?.isLearner === true ? "the member is a learner" : undefined,
} satisfies Record<string, Check>;

type CheckName = keyof typeof checks;
const liveChecks: readonly CheckName[] = ["serializable_read"];
const readyChecks: readonly CheckName[] = ["data_corruption", "serializable_read", "linearizable_read", "non_learner"];

function text(status: number, body: string): Answer {
  return { status, contentType: "text/plain; charset=utf-8", body };
}

function json(status: number, body: unknown): Answer {
  return { status, contentType: "application/json", body: `${JSON.stringify(body)}` };
}

async function health({ member }: HttpEndpointsOptions, query: URLSearchParams): Promise<Answer> {
  const reason = await unhealthyReason(member, query);
  return json(reason === "" ? 200 : 503, { health: reason === "" ? "true" : "false", reason });
}

async function unhealthyReason(member: Member, query: URLSearchParams): Promise<string> {
  const excluded = new Set(query.getAll("exclude"));
  const alarm = (["NOSPACE", "CORRUPT"] as const).find(
    (name) => !excluded.has(name) && member.alarms.isActive(AlarmType[name]),
  );
  if (alarm !== undefined) return `ALARM ${alarm}`;
  if (query.get("serializable") === "true") return "";
  if (member.leader === 0n) return "RAFT NO LEADER";
  const failure = await checks.linearizable_read(member);
  return failure === undefined ? "" : `QGET ERROR:${failure}`;
}

async function probe(
  { member }: HttpEndpointsOptions,
  names: readonly CheckName[],
  query: URLSearchParams,
): Promise<Answer> {
  const excluded = new Set(query.getAll("exclude"));
  const lines: string[] = [];
  let failed = false;
  for (const name of names.filter((candidate) => !excluded.has(candidate))) {
    const reason = await checks[name](member);
    lines.push(reason === undefined ? `[+]${name} ok` : `[-]${name} failed: ${reason}`);
    failed ||= reason !== undefined;
  }
  if (failed) return text(503, `${lines.join("\n")}\n`);
  return text(200, query.has("verbose") ? `${lines.join("\n")}\nok\n` : "ok\n");
}

async function answer(options: HttpEndpointsOptions, url: URL): Promise<Answer> {
  const { member, metrics } = options;
  switch (url.pathname) {
    case "/version":
      return json(200, {
        etcdserver: etcdApiVersion,
        etcdcluster: member.membership.clusterVersion ?? "not_decided",
        storage: etcdApiVersion,
        conclave: conclaveVersion,
      });
    case "/health":
      return health(options, url.searchParams);
    case "/livez":
      return probe(options, liveChecks, url.searchParams);
    case "/readyz":
      return probe(options, readyChecks, url.searchParams);
    case "/metrics":
      return { status: 200, contentType: metrics.contentType, body: await metrics.render() };
    default:
      return text(404, "404 page not found\n");
  }
}

/** Creates the handler of HTTP/1.1 requests on the client port. */
export function createHttpEndpoints(
  options: HttpEndpointsOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const reply = (response: ServerResponse, { status, contentType, body }: Answer): void => {
    response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) }).end(body);
  };
  return (request, response) => {
    if (request.method !== "GET") {
      response.setHeader("allow", "GET");
      reply(response, text(405, "Method Not Allowed\n"));
      return;
    }
    answer(options, new URL(request.url ?? "/", "http://member")).then(
      (result) => reply(response, result),
      (error: unknown) => {
        options.member.ports.log.error("an HTTP endpoint failed", { path: request.url, error: String(error) });
        reply(response, text(500, "Internal Server Error\n"));
      },
    );
  };
}
