import type { Clock } from "@conclave/base";
import type { CallOptions } from "./call-scope.ts";

/** The options of each request of a call that takes several: together they take no longer than the call may. */
export function requestsWithin(
  client: { readonly ports: { readonly clock: Clock } },
  { signal, timeoutMs }: CallOptions,
): () => CallOptions {
  const { clock } = client.ports;
  const startedAtMs = clock.monotonicMs();
  return () => ({
    signal,
    timeoutMs: timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - (clock.monotonicMs() - startedAtMs)),
  });
}
