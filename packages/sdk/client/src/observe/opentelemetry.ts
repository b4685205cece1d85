/**
 * @module The client's calls as spans of OpenTelemetry: `@conclave/client/opentelemetry`. Needs `@opentelemetry/api`, which
 * the client itself does not.
 */
import { tracingChannel } from "node:diagnostics_channel";
import { type Span, SpanKind, SpanStatusCode, type TracerProvider, trace } from "@opentelemetry/api";
import { isConclaveError } from "../conclave-error.ts";
import { type CallTrace, callChannelName } from "./call-tracing.ts";

/** How calls are told to OpenTelemetry. */
export interface OpenTelemetryOptions {
  /** Makes the spans. Default: the global one. */
  readonly tracerProvider?: TracerProvider | undefined;
}

/**
 * Makes a span of every call of every client of this process from now on, with the attributes of OpenTelemetry's
 * conventions for RPC. A span covers all tries of its call.
 *
 * @param options - who makes the spans
 * @returns ends it when it is disposed of
 * @see https://opentelemetry.io/docs/specs/semconv/rpc/rpc-spans/
 */
export function traceCallsWithOpenTelemetry(options: OpenTelemetryOptions = {}): Disposable {
  const tracer = (options.tracerProvider ?? trace.getTracerProvider()).getTracer("@conclave/client");
  const spans = new WeakMap<object, Span>();
  const listeners = {
    start(call: CallTrace) {
      const [service = "", method = ""] = call.method.split("/");
      const attributes = { "rpc.system": "grpc", "rpc.service": service, "rpc.method": method };
      spans.set(call, tracer.startSpan(call.method, { kind: SpanKind.CLIENT, attributes }));
    },
    asyncEnd(call: CallTrace) {
      const span = spans.get(call);
      const last = call.endpoints.at(-1);
      if (last !== undefined) span?.setAttribute("server.address", last);
      span?.setAttribute("conclave.tries", call.endpoints.length);
      span?.end();
    },
    error(call: CallTrace) {
      const { error } = call;
      const message = error instanceof Error ? error.message : String(error);
      const span = spans.get(call);
      span?.setStatus({ code: SpanStatusCode.ERROR, message });
      if (isConclaveError(error)) span?.setAttribute("error.type", error.code);
      if (error instanceof Error) span?.recordException(error);
    },
  };
  const channel = tracingChannel<unknown, CallTrace>(callChannelName);
  // A channel calls the listeners it is given; those of the other events may be left out, which its type does not say.
  const subscribers = listeners as unknown as Parameters<typeof channel.subscribe>[0];
  channel.subscribe(subscribers);
  return { [Symbol.dispose]: () => channel.unsubscribe(subscribers) };
}
