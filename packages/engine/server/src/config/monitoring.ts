/** @module Options of metrics and tracing. */
import { option, type Section, toggle } from "./field.ts";
import { oneOf, text, wholeNumber } from "./scalars.ts";
import { listenUrls } from "./urls.ts";

/** Options of profiling and monitoring. */
export interface MonitoringOptions {
  /** Taken for etcd's sake: profiles are those of Node. Default false. */
  readonly enablePprof: boolean;
  /** Whether metrics have histograms of calls too. Default `basic`. */
  readonly metrics: "basic" | "extensive";
  /** URLs to listen on for metrics and health alone. Default: none. */
  readonly listenMetricsUrls: readonly string[];
}

/** The section of profiling and monitoring. */
export const monitoringSection: Section<MonitoringOptions> = {
  title: "Profiling and Monitoring",
  fields: {
    enablePprof: toggle({
      fallback: false,
      help: "Without effect: profile with Node's own tools.",
      unused: "there are no Go profiles; start with NODE_OPTIONS=--cpu-prof or --inspect instead",
    }),
    metrics: option(oneOf(["basic", "extensive"]), {
      fallback: "basic",
      help: "Metrics: 'basic', or 'extensive' for histograms of calls too.",
    }),
    listenMetricsUrls: option(listenUrls, {
      fallback: [],
      help: "Comma-separated URLs to listen on for metrics and health alone.",
    }),
  },
};

/** Options of distributed tracing. */
export interface TracingOptions {
  /** Taken for etcd's sake: spans are not exported. Default false. */
  readonly enableDistributedTracing: boolean;
  /** Taken for etcd's sake. Default `localhost:4317`. */
  readonly distributedTracingAddress: string;
  /** Taken for etcd's sake. Default `etcd`. */
  readonly distributedTracingServiceName: string;
  /** Taken for etcd's sake. Default: none. */
  readonly distributedTracingInstanceId: string;
  /** Taken for etcd's sake: spans per million. Default 0. */
  readonly distributedTracingSamplingRate: number;
}

const traced = {
  help: "Without effect: spans are not exported.",
  unused: "spans are not exported",
  experimental: true,
};

/** The section of distributed tracing. */
export const tracingSection: Section<TracingOptions> = {
  title: "Distributed tracing",
  fields: {
    enableDistributedTracing: toggle({ fallback: false, ...traced }),
    distributedTracingAddress: option(text, { fallback: "localhost:4317", ...traced }),
    distributedTracingServiceName: option(text, { fallback: "etcd", ...traced }),
    distributedTracingInstanceId: option(text, { fallback: "", ...traced }),
    distributedTracingSamplingRate: option(wholeNumber({ min: 0, max: 1_000_000 }), { fallback: 0, ...traced }),
  },
};
