import type { ReadCache } from "./read-cache.ts";
import type { WatchHub } from "./watch-hub.ts";

/** What is counted. */
export interface ProxyCounts {
  /** Answers to serializable reads. */
  readonly cache: ReadCache["stats"];
  /** Watchers. */
  readonly watches: WatchHub["stats"];
}

/** The proxy's metrics in Prometheus' text format; those that etcd's proxy has under its names. */
export function renderMetrics({ cache, watches }: ProxyCounts): string {
  return [
    metric("etcd_grpc_proxy_cache_hits_total", "gauge", "Total number of cache hits", cache.hits),
    metric("etcd_grpc_proxy_cache_keys_total", "gauge", "Total number of keys/ranges cached", cache.entries),
    metric("etcd_grpc_proxy_cache_misses_total", "gauge", "Total number of cache misses", cache.misses),
    metric(
      "etcd_grpc_proxy_events_coalescing_total",
      "counter",
      "Total number of events coalescing",
      watches.coalescedEvents,
    ),
    metric(
      "etcd_grpc_proxy_watchers_coalescing_total",
      "gauge",
      "Total number of current watchers coalescing",
      watches.coalesced,
    ),
    metric("conclave_grpc_proxy_cache_bytes", "gauge", "Bytes of the answers that are cached.", cache.bytes),
    metric("conclave_grpc_proxy_upstream_watchers", "gauge", "Watchers at the members.", watches.upstreamWatchers),
  ].join("");
}

function metric(name: string, type: "counter" | "gauge", help: string, value: number): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`;
}
