import { Worker } from "node:worker_threads";
import { buckets } from "@conclave/base";
import { type EnvironmentOptions, rootOptions } from "./environment.ts";
import { StoreError } from "./store-error.ts";

/** What the writing thread is asked to do. */
export type WriterRequest =
  | { readonly kind: "open" }
  | { readonly kind: "write"; readonly batch: ArrayBuffer }
  | { readonly kind: "clear" }
  | { readonly kind: "copy"; readonly path: string }
  | { readonly kind: "close" };

/** Its answer. */
export type WriterReply = { readonly kind: "done" } | { readonly kind: "failed"; readonly message: string };

/** Sources and build share one file; see there. */
const threadUrl = new URL("../src/writer-thread.js", import.meta.url);

/** The thread that writes. Requests are answered one after another; it keeps the process alive only meanwhile. */
export class Writer {
  readonly #worker: Worker;
  #answer: ((reply: WriterReply) => void) | undefined;
  #ended: string | undefined;

  constructor(options: EnvironmentOptions) {
    const workerData = { rootOptions: rootOptions(options), buckets };
    this.#worker = new Worker(threadUrl, { workerData, execArgv: [] });
    this.#worker.unref();
    this.#worker.on("message", (reply: WriterReply) => this.#reply(reply));
    this.#worker.on("error", (error) => this.#end(error.message));
    this.#worker.on("exit", (status) => this.#end(`the writing thread ended with ${status}`));
  }

  /**
   * Sends a request; the one before it has been answered.
   *
   * @throws {@link StoreError} `DISK` with what LMDB says
   */
  async request(request: WriterRequest): Promise<void> {
    if (this.#ended !== undefined) throw new StoreError("DISK", this.#ended);
    const answered = new Promise<WriterReply>((resolve) => {
      this.#answer = resolve;
    });
    this.#worker.ref();
    this.#worker.postMessage(request, request.kind === "write" ? [request.batch] : []);
    const reply = await answered;
    this.#worker.unref();
    if (reply.kind !== "failed") return;
    throw new StoreError("DISK", request.kind === "write" ? `Cannot write the store: ${reply.message}` : reply.message);
  }

  /** Ends the thread. */
  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #reply(reply: WriterReply): void {
    this.#answer?.(reply);
    this.#answer = undefined;
  }

  #end(message: string): void {
    this.#ended ??= message;
    this.#reply({ kind: "failed", message });
  }
}
