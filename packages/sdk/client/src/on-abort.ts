const listenersBySignal = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Runs a callback once when a signal aborts, or never if it has aborted already. However many callbacks wait,
 * the signal gets one listener: a program may give one signal to a thousand calls without a warning from Node.
 *
 * @returns takes the callback back
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const known = listenersBySignal.get(signal);
  const listeners = known ?? new Set();
  // A wrapper, so that the same function given twice is two callbacks.
  const entry = () => callback();
  listeners.add(entry);
  if (known === undefined) {
    listenersBySignal.set(signal, listeners);
    signal.addEventListener("abort", () => runAll(signal, listeners), { once: true });
  }
  return () => {
    listeners.delete(entry);
  };
}

function runAll(signal: AbortSignal, listeners: Set<() => void>): void {
  listenersBySignal.delete(signal);
  for (const listener of [...listeners]) listener();
}
