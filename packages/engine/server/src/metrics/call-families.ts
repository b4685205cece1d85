/** @module Metrics of calls, by method; names and labels are those of the gRPC ecosystem. */
import { GrpcStatus } from "@conclave/protocol";
import type { MethodStats } from "@conclave/rpc";
import { counter, type Family, histogram, type Labels } from "./exposition.ts";

const kinds: Readonly<Record<MethodStats["kind"], string>> = {
  unary: "unary",
  clientStream: "client_stream",
  serverStream: "server_stream",
  bidi: "bidi_stream",
};

/** `OK`, and `NotFound` and the like, as Go writes them. */
const codeNames: ReadonlyMap<number, string> = new Map(
  Object.entries(GrpcStatus).map(([name, code]) => [code, name === "Ok" ? "OK" : name]),
);

function labelsOf({ service, method, kind }: MethodStats): Labels {
  return { grpc_method: method, grpc_service: service, grpc_type: kinds[kind] };
}

/** Metrics of a server's calls. */
export function callFamilies(calls: () => readonly MethodStats[]): readonly Family[] {
  const each = (read: (stats: MethodStats) => number) => () =>
    calls().map((stats) => ({ labels: labelsOf(stats), value: read(stats) }));
  const sum = (read: (stats: MethodStats) => number) => () => calls().reduce((total, stats) => total + read(stats), 0);
  const handled = () =>
    calls().flatMap((stats) =>
      Array.from(stats.handled, ([code, value]) => ({
        labels: { grpc_code: codeNames.get(code) ?? String(code), ...labelsOf(stats) },
        value,
      })),
    );
  const promoted = () =>
    calls()
      .find(({ method }) => method === "MemberPromote")
      ?.handled.get(GrpcStatus.Ok) ?? 0;
  return [
    counter(
      "grpc_server_started_total",
      "Calls begun.",
      each(({ started }) => started),
    ),
    counter("grpc_server_handled_total", "Calls ended, by status.", handled),
    counter(
      "grpc_server_msg_received_total",
      "Requests received.",
      each(({ received }) => received),
    ),
    counter(
      "grpc_server_msg_sent_total",
      "Responses sent.",
      each(({ sent }) => sent),
    ),
    histogram("grpc_server_handling_seconds", "Times that calls took.", () =>
      calls().flatMap((stats) => {
        const { durations } = stats;
        return durations === undefined ? [] : [{ labels: labelsOf(stats), histogram: durations }];
      }),
    ),
    counter(
      "etcd_network_client_grpc_received_bytes_total",
      "Bytes of requests.",
      sum((each) => each.receivedBytes),
    ),
    counter(
      "etcd_network_client_grpc_sent_bytes_total",
      "Bytes of responses.",
      sum((each) => each.sentBytes),
    ),
    counter("etcd_server_learner_promote_successes", "Learners promoted through this member.", promoted),
  ];
}
