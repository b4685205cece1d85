/** @module Where the tour plays: processes that are started, listened to, and ended whatever happens. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const waitMsMax = 20_000;

/** A process of the tour whose lines are shown as they come. */
export class Actor {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #waiters: (() => void)[] = [];

  constructor(name: string, child: ChildProcess, show: (line: string) => void) {
    this.name = name;
    this.#child = child;
    if (child.stdout === null || child.stderr === null) throw new Error("an actor speaks through pipes");
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.#lines.push(line);
        show(line);
        this.#wake();
      });
    }
    child.on("exit", () => this.#wake());
  }

  /** Waits for a line that matches, past ones included, and gives it back. */
  async line(pattern: RegExp): Promise<string> {
    const deadline = performance.now() + waitMsMax;
    for (;;) {
      const found = this.#lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (this.hasEnded) throw new Error(`${this.name} ended before it said ${pattern}`);
      if (performance.now() > deadline)
        throw new Error(`${this.name} did not say ${pattern} within ${waitMsMax / 1000} s`);
      await Promise.race([
        new Promise<void>((resolve) => this.#waiters.push(resolve)),
        new Promise<void>((resolve) => setTimeout(resolve, 200)),
      ]);
    }
  }

  /** The lines so far that match. */
  said(pattern: RegExp): readonly string[] {
    return this.#lines.filter((line) => pattern.test(line));
  }

  /** Whether the process is gone. */
  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.hasEnded) return;
    const ended = once(this.#child, "exit");
    this.#child.kill(signal);
    await ended;
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

const root = join(import.meta.dirname, "..", "..");

/** The tour's processes and files. Disposing of it leaves none behind. */
export class Stage implements AsyncDisposable {
  readonly endpoint: string;
  readonly #dataDir: string;
  readonly #peerPort: number;
  readonly #actors = new Set<Actor>();

  private constructor(dataDir: string, [clientPort, peerPort]: readonly [number, number]) {
    this.#dataDir = dataDir;
    this.endpoint = `127.0.0.1:${clientPort}`;
    this.#peerPort = peerPort;
  }

  /** Takes a temporary directory and two ports. */
  static async open(): Promise<Stage> {
    return new Stage(await mkdtemp(join(tmpdir(), "conclave-tour-")), await freePorts());
  }

  /** Says something in the tour's own voice. */
  tell(text: string): void {
    console.log(`  ${text}`);
  }

  /** Starts the member, or starts it again on the same data. */
  async startMember(): Promise<Actor> {
    const url = `http://${this.endpoint}`;
    const peerUrl = `http://127.0.0.1:${this.#peerPort}`;
    const args = [
      join(root, "bin", "conclave"),
      ...["--data-dir", this.#dataDir, "--listen-client-urls", url, "--advertise-client-urls", url],
      ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
    ];
    const member = this.#start("member", args, () => {});
    await member.line(/ready to serve client requests/);
    return member;
  }

  /** Starts one of the programs in `roles/`; it is given the endpoint and then the arguments. */
  startRole(name: string, role: string, ...args: readonly string[]): Actor {
    const script = join(import.meta.dirname, "roles", `${role}.ts`);
    return this.#start(name, ["--import", "tsx", script, this.endpoint, ...args], (line) => {
      console.log(`    ${name.padEnd(12)} ${line}`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const actor of this.#actors) actor.signal("SIGCONT");
    await Promise.all([...this.#actors].map((actor) => actor.end("SIGKILL")));
    await rm(this.#dataDir, { recursive: true, force: true });
  }

  #start(name: string, args: readonly string[], show: (line: string) => void): Actor {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], cwd: root });
    const actor = new Actor(name, child, show);
    this.#actors.add(actor);
    return actor;
  }
}

async function freePorts(): Promise<readonly [number, number]> {
  const servers = [createServer(), createServer()] as const;
  await Promise.all(servers.map((server) => once(server.listen(0, "127.0.0.1"), "listening")));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return [ports[0] ?? 0, ports[1] ?? 0];
}

/** Fails the step unless something is as the tour says. */
export function expectThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(`expected that ${what}`);
}
