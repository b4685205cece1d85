import { Worker } from "node:worker_threads";
import { WireError } from "@conclave/protocol";

/** Hashes passwords, which is made to take long. Neither passwords nor hashes are in any error. */
export interface Passwords {
  /** The bcrypt text of a password, with a new salt. */
  hash(password: string, options: HashOptions): Promise<string>;
  /** Whether a password is the one of a bcrypt text; not if that is none. */
  matches(password: string, hash: string, options?: JobOptions): Promise<boolean>;
  /** Ends the thread; jobs that wait fail. */
  close(): void;
}

/** What a job is told. */
export interface JobOptions {
  /** Drops the job if nobody waits for it any more by the time it would begin. Default: it is done in any case. */
  readonly signal?: AbortSignal | undefined;
}

/** What hashing is told. */
export interface HashOptions extends JobOptions {
  /** bcrypt's rounds, as a power of two: 4 to 31. */
  readonly cost: number;
}

type Request =
  | { readonly kind: "hash"; readonly password: string; readonly cost: number }
  | { readonly kind: "matches"; readonly password: string; readonly hash: string };

type Answer = { readonly value: string | boolean } | { readonly failed: true };

interface Job {
  readonly request: Request;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (value: string | boolean) => void;
  readonly reject: (error: Error) => void;
}

/** Jobs that may wait: about as many as are done before requests are given up. */
const waitingMax = 100;

/** Sources and build share one file; see there. */
const threadUrl = new URL("../../src/auth/password-worker.js", import.meta.url);

/** Passwords that are hashed in one thread, one at a time. The thread starts with the first job. */
export class PasswordThread implements Passwords {
  readonly #waiting: Job[] = [];
  #worker: Worker | undefined;
  #running: Job | undefined;
  #closed = false;

  hash(password: string, { cost, signal }: HashOptions): Promise<string> {
    return this.#submit({ kind: "hash", password, cost }, signal) as Promise<string>;
  }

  matches(password: string, hash: string, { signal }: JobOptions = {}): Promise<boolean> {
    return this.#submit({ kind: "matches", password, hash }, signal) as Promise<boolean>;
  }

  close(): void {
    this.#closed = true;
    this.#end(new WireError("Stopped"));
  }

  #submit(request: Request, signal: AbortSignal | undefined): Promise<string | boolean> {
    if (this.#closed) return Promise.reject(new WireError("Stopped"));
    if (this.#waiting.length >= waitingMax) return Promise.reject(new WireError("RequestTooManyRequests"));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, signal, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#running !== undefined) return;
    const job = this.#waiting.shift();
    if (job === undefined) return;
    if (job.signal?.aborted === true) {
      job.reject(job.signal.reason as Error);
      this.#next();
      return;
    }
    this.#running = job;
    this.#worker ??= this.#start();
    this.#worker.postMessage(job.request);
  }

  #start(): Worker {
    const worker = new Worker(threadUrl, { execArgv: [] });
    worker.unref();
    worker.on("message", (answer: Answer) => this.#settle(answer));
    worker.on("error", (error) => this.#lose(worker, error));
    worker.on("exit", (status) => this.#lose(worker, new Error(`The password thread ended with ${status}`)));
    return worker;
  }

  #settle(answer: Answer): void {
    const job = this.#running;
    this.#running = undefined;
    if ("failed" in answer) job?.reject(new Error("The password could not be hashed"));
    else job?.resolve(answer.value);
    this.#next();
  }

  /** The thread is gone by itself; the next job starts another. */
  #lose(worker: Worker, error: Error): void {
    if (this.#worker === worker) this.#end(error);
  }

  #end(error: Error): void {
    const [worker, running, waiting] = [this.#worker, this.#running, this.#waiting.splice(0)];
    this.#worker = undefined;
    this.#running = undefined;
    running?.reject(error);
    for (const job of waiting) job.reject(error);
    void worker?.terminate();
  }
}
