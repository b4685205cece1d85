import { type Span, SpanKind, SpanStatusCode, type Tracer, type TracerProvider } from "@opentelemetry/api";
import { expect, test } from "vitest";
import { modelCluster } from "../testing/model-client.ts";
import { traceCallsWithOpenTelemetry } from "./opentelemetry.ts";

interface Recorded {
  readonly name: string;
  readonly kind: SpanKind | undefined;
  readonly attributes: Record<string, unknown>;
  status?: SpanStatusCode;
  ended: boolean;
}

/** Keeps what it is told of spans. */
function recorder(): { readonly provider: TracerProvider; readonly spans: Recorded[] } {
  const spans: Recorded[] = [];
  const startSpan: Tracer["startSpan"] = (name, { kind, attributes } = {}) => {
    const recorded: Recorded = { name, kind, attributes: { ...attributes }, ended: false };
    spans.push(recorded);
    const span = {
      setAttribute(key: string, value: unknown) {
        recorded.attributes[key] = value;
      },
      setStatus({ code }: { code: SpanStatusCode }) {
        recorded.status = code;
      },
      recordException() {},
      end() {
        recorded.ended = true;
      },
    };
    return span as unknown as Span;
  };
  return { spans, provider: { getTracer: () => ({ startSpan }) as unknown as Tracer } };
}

test("every call is a span until the adapter is disposed of, with what it ended with", async () => {
  const { client, time } = modelCluster();
  const { provider, spans } = recorder();
  {
    using _tracing = traceCallsWithOpenTelemetry({ tracerProvider: provider });
    await time.complete(client.get("k"));
    await time.complete(client.put("k", "v").catch(() => {}));
  }
  await time.complete(client.get("k"));
  const common = { kind: SpanKind.CLIENT, ended: true };
  expect(spans).toEqual([
    {
      ...common,
      name: "etcdserverpb.KV/Range",
      attributes: {
        "rpc.system": "grpc",
        "rpc.service": "etcdserverpb.KV",
        "rpc.method": "Range",
        "server.address": "m1:1",
        "conclave.tries": 1,
      },
    },
    {
      ...common,
      name: "etcdserverpb.KV/Put",
      status: SpanStatusCode.ERROR,
      attributes: expect.objectContaining({ "error.type": "UNIMPLEMENTED" }),
    },
  ]);
});
