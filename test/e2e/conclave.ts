/** @module `bin/conclave` as operators meet it: what it prints, how it ends, and what it leaves on the disk. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts, memberFlags } from "@conclave/testkit";

const binary = join(import.meta.dirname, "..", "..", "bin", "conclave");
const readyMsMax = 30_000;

/** How to run the command. */
export interface RunOptions {
  /** Variables of the environment beside `PATH`; default: none. */
  readonly env?: Readonly<Record<string, string>>;
  /** The working directory; default: this process's. */
  readonly cwd?: string;
}

/** How a run ended. */
export interface Ending {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A run of the command. Disposing of it kills the process. */
export class Conclave implements AsyncDisposable {
  readonly child: ChildProcess;
  /** How it ended, once it has. */
  readonly ending: Promise<Ending>;
  #stdout = "";
  #stderr = "";

  constructor(args: readonly string[], { env = {}, cwd }: RunOptions = {}) {
    this.child = spawn(binary, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, ...env },
      cwd,
    });
    this.child.stdout?.on("data", (text) => {
      this.#stdout += text;
    });
    this.child.stderr?.on("data", (text) => {
      this.#stderr += text;
    });
    this.ending = once(this.child, "close").then(([status, signal]) => {
      return { status, signal, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  /** Everything printed so far, line by line. */
  get lines(): readonly string[] {
    return `${this.#stdout}${this.#stderr}`.split("\n").filter((line) => line !== "");
  }

  /** Resolves when the member says that it serves. */
  async ready(): Promise<this> {
    const { stderr } = this.child;
    const deadline = AbortSignal.timeout(readyMsMax);
    while (!this.#stderr.includes("ready to serve client requests")) {
      if (stderr === null || stderr.readableEnded) throw new Error(`conclave ended early: ${this.#stderr}`);
      await Promise.race([once(stderr, "data", { signal: deadline }), once(stderr, "end", { signal: deadline })]);
    }
    return this;
  }

  /** Sends a signal; resolves with how the process ended and how long that took. */
  async signal(signal: NodeJS.Signals): Promise<Ending & { readonly tookMs: number }> {
    const sentMs = performance.now();
    this.child.kill(signal);
    const ending = await this.ending;
    return { ...ending, tookMs: performance.now() - sentMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGCONT");
    await this.signal("SIGKILL");
  }
}

/** Runs the command to its end. */
export async function conclave(args: readonly string[], options?: RunOptions): Promise<Ending> {
  await using run = new Conclave(args, options);
  return await run.ending;
}

/** A place for one member: a directory of its own, not created yet, and two free ports. */
export interface Place extends AsyncDisposable {
  /** A directory for whatever belongs to the test. */
  readonly directory: string;
  /** The data directory in it. */
  readonly dataDir: string;
  /** Where it serves clients, as `127.0.0.1:port`. */
  readonly endpoint: string;
  /** The flags that put a member here. */
  readonly flags: readonly string[];
}

/** Makes a place for a member, and forgets it with everything in it when disposed of. */
export async function makePlace(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), "conclave-e2e-"));
  const dataDir = join(directory, "data");
  const [clientPort, peerPort] = await freePorts(2);
  const endpoint = `127.0.0.1:${clientPort}`;
  const clientUrl = `http://${endpoint}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  return {
    directory,
    dataDir,
    endpoint,
    flags: memberFlags({ name: "e2e", dataDir, clientUrl, peerUrl }),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

/** LMDB's table of open readers: rebuilt by whoever opens the store next, and no part of the data. */
const readerTable = "lock.mdb";

/** Every file below a directory with a digest of what it holds. */
export async function contentsOf(directory: string): Promise<Readonly<Record<string, string>>> {
  const contents: Record<string, string> = {};
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (entry.name === readerTable) continue;
    const path = join(entry.parentPath, entry.name);
    contents[path] = entry.isFile()
      ? createHash("sha256")
          .update(await readFile(path))
          .digest("hex")
      : "directory";
  }
  return contents;
}
