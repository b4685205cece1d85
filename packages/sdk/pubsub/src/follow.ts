import { LinkedSignal } from "@conclave/client";

/** Work beside an iteration; ends when the signal aborts. */
export type Background = (signal: AbortSignal) => Promise<void>;

/**
 * Iterates, and does other work as long as somebody iterates. Ends when the caller's signal aborts.
 *
 * @param wanted - the caller's signal
 * @param beside - the other work; when it fails the iteration goes on without it
 * @param follow - the iteration, under a signal that aborts when it is over
 */
export async function* followWhile<T>(
  wanted: AbortSignal | undefined,
  beside: Background,
  follow: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  using over = new LinkedSignal(wanted);
  const { signal } = over;
  const work = beside(signal);
  // Whoever may only read does not do the work; others do.
  work.catch(() => {});
  try {
    yield* follow(signal);
  } catch (error) {
    if (wanted?.aborted !== true) throw error;
  } finally {
    over.abort();
    await work.catch(() => {});
  }
}
