/** Who waits for a {@link Deferred}. Told once, at once when it is settled, and so must not throw. */
export interface DeferredListener<Value> {
  /** It has come. */
  onValue(value: Value): void;
  /** It will not come. */
  onError(error: unknown): void;
}

/**
 * A value to come, such as the response of a call. Other than a promise it costs one object, and tells its listener in
 * the very moment it is settled, not some turns of the microtask queue later. It can be awaited too.
 */
export class Deferred<Value> implements PromiseLike<Value> {
  #listener: DeferredListener<Value> | undefined;
  #state: "waiting" | "resolved" | "rejected" = "waiting";
  #result: unknown;

  /** Has a listener told how it ends. There is one; `then` counts as one. */
  listen(listener: DeferredListener<Value>): void {
    if (this.#state === "waiting") this.#listener = listener;
    else this.#tell(listener);
  }

  /** The value has come. What comes after the first end counts no more. */
  resolve(value: Value): void {
    this.#settle("resolved", value);
  }

  /** The value will not come. If nobody listens, nobody is told. */
  reject(error: unknown): void {
    this.#settle("rejected", error);
  }

  // biome-ignore lint/suspicious/noThenProperty: whoever awaits it is to wait.
  then<Fulfilled = Value, Rejected = never>(
    onFulfilled?: ((value: Value) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    const promise = new Promise<Value>((resolve, reject) => this.listen({ onValue: resolve, onError: reject }));
    return promise.then(onFulfilled, onRejected);
  }

  #settle(state: "resolved" | "rejected", result: unknown): void {
    if (this.#state !== "waiting") return;
    this.#state = state;
    this.#result = result;
    if (this.#listener !== undefined) this.#tell(this.#listener);
  }

  #tell(listener: DeferredListener<Value>): void {
    this.#listener = undefined;
    if (this.#state === "resolved") listener.onValue(this.#result as Value);
    else listener.onError(this.#result);
  }
}
