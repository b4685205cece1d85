import { type CallOptions, CallScope, type ClientView } from "@conclave/client";

const timeoutMsDefault = 10_000;

/**
 * Waits for something for as long as a call may take: 10 s unless it says otherwise.
 *
 * @param what - what is done, for the error
 * @throws ConclaveError `TIMEOUT`, `ABORTED`; or what the promise rejects with
 */
export async function within<T>(
  client: ClientView,
  what: string,
  { signal, timeoutMs = timeoutMsDefault }: CallOptions,
  promise: Promise<T>,
): Promise<T> {
  const ports = { ...client.ports, closed: new AbortController().signal };
  using scope = new CallScope(ports, { signal, timeoutMs });
  scope.throwIfEnded(what);
  const ended = new Promise<never>((_, reject) => {
    scope.signal.addEventListener("abort", () => reject(scope.error(what)));
  });
  return await Promise.race([promise, ended]);
}
