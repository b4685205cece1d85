/**
 * @module The machines of a guide, on this one: each has a directory as its root, all are on loopback.
 *
 * What a page says is put in its place before it is run: `10.0.0.1:2379` and every other address becomes a free port
 * of loopback, the same for the whole page; `/var/…` and `/etc/…` are in the machine's directory, `/srv/…` is in one
 * that all share; `/opt/conclave` is this repository. What a block exports is there in the next one on that machine.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "@conclave/testkit";
import { missingLine, type ShellBlock } from "./shell-block.ts";

/** The root of the repository. */
export const repository: string = join(import.meta.dirname, "..", "..", "..");

const blockMsMax = 100_000;
const host = String.raw`(?:10\.0\.0\.\d+|127\.0\.0\.1|localhost)`;
const address = new RegExp(`${host}:\\d{4,5}\\b`, "g");
const hostAlone = /\b10\.0\.0\.\d+\b/g;
const directories = ["var/lib/conclave", "var/log", "etc/conclave", "etc/default"];

interface Run {
  readonly child: ChildProcess;
  readonly closed: Promise<unknown>;
  output: string;
}

interface Background {
  readonly run: Run;
  readonly ready: string;
}

/** The machines of one page. Disposing of it ends what runs on them and removes their directories. */
export class Site implements AsyncDisposable {
  readonly #directory: string;
  readonly #addresses: ReadonlyMap<string, string>;
  readonly #background: Background[] = [];
  readonly #machines = new Set<string>();

  private constructor(directory: string, addresses: ReadonlyMap<string, string>) {
    this.#directory = directory;
    this.#addresses = addresses;
  }

  /** Makes room for the machines of a page. */
  static async open(page: string): Promise<Site> {
    const named = [...new Set(page.match(address))];
    const ports = await freePorts(named.length);
    const directory = await mkdtemp(join(tmpdir(), "conclave-guide-"));
    await mkdir(join(directory, "srv"));
    return new Site(directory, new Map(named.map((name, at) => [name, `127.0.0.1:${ports[at]}`])));
  }

  /**
   * Runs a block on its machines, and holds it to what the page says that it prints.
   *
   * @throws Error if it fails, does not end, or prints something else; or if what goes on in the background has ended
   */
  async run(block: ShellBlock): Promise<void> {
    await Promise.all(block.machines.map((machine) => this.#makeMachine(machine)));
    if (block.background) {
      this.#background.push(...block.machines.map((on) => ({ run: this.#start(block, on), ready: block.ready })));
      return;
    }
    await Promise.all(this.#background.map(untilReady));
    await Promise.all(block.machines.map((machine) => this.#runOn(block, machine)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { run } of this.#background) endGroup(run.child.pid);
    for (const machine of this.#machines) endGroup(await servicePid(this.#rootOf(machine)));
    await Promise.all(this.#background.map(({ run }) => run.closed));
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async #makeMachine(machine: string): Promise<void> {
    this.#machines.add(machine);
    await Promise.all(directories.map((path) => mkdir(join(this.#rootOf(machine), path), { recursive: true })));
  }

  async #runOn(block: ShellBlock, machine: string): Promise<void> {
    const run = this.#start(block, machine);
    const tooLate = setTimeout(() => endGroup(run.child.pid), blockMsMax);
    await run.closed;
    clearTimeout(tooLate);
    const { exitCode, signalCode } = run.child;
    const ended = `ended on ${machine} with ${exitCode ?? signalCode}:\n${run.output}`;
    if (signalCode !== null || (exitCode !== 0) !== block.fails) throw new Error(`The block ${ended}`);
    const missing = missingLine(run.output, this.#placed(block.output.join("\n"), machine).split("\n"));
    if (missing !== undefined) throw new Error(`"${missing}" is missing in what ${ended}`);
  }

  #start(block: ShellBlock, machine: string): Run {
    const root = this.#rootOf(machine);
    const exported = join(root, "exported");
    const code = ["exec 2>&1", `[ ! -f ${exported} ] || . ${exported}`, this.#placed(block.code, machine)];
    const child = spawn("bash", ["-euo", "pipefail", "-c", [...code, `export -p > ${exported}`].join("\n")], {
      cwd: root,
      detached: true,
      env: { ...environment, HOME: root, GUIDE_MACHINE: machine, GUIDE_ROOT: root },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const run: Run = { child, closed: once(child, "close"), output: "" };
    child.stdout.on("data", (text) => {
      run.output += text;
    });
    return run;
  }

  #rootOf(machine: string): string {
    return join(this.#directory, machine);
  }

  #placed(text: string, machine: string): string {
    return text
      .replaceAll(address, (name) => this.#addresses.get(name) ?? name)
      .replaceAll(hostAlone, "127.0.0.1")
      .replaceAll(/(?<![\w./-])\/(var|etc)\//g, `${this.#rootOf(machine)}/$1/`)
      .replaceAll(/(?<![\w./-])\/srv\//g, `${this.#directory}/srv/`)
      .replaceAll("/opt/conclave/", `${repository}/`);
  }
}

const environment = {
  PATH: [join(import.meta.dirname, "stand-ins"), join(repository, "bin"), process.env.PATH].join(":"),
  GUIDE_UNIT: join(repository, "docs", "systemd", "conclave.service"),
};

async function untilReady({ run, ready }: Background): Promise<void> {
  const { child, closed } = run;
  const tooLate = AbortSignal.timeout(blockMsMax);
  while (!run.output.includes(ready)) {
    if (child.exitCode !== null || child.signalCode !== null || child.stdout === null || tooLate.aborted)
      throw new Error(`What goes on in the background is not ready:\n${run.output}`);
    await Promise.race([once(child.stdout, "data", { signal: tooLate }), closed]).catch(() => undefined);
  }
}

/** Ends a process and what it has started. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** The process of the machine's service, which the stand-in for systemctl has written down. */
async function servicePid(root: string): Promise<number | undefined> {
  try {
    return Number(await readFile(join(root, "service.pid"), "utf8"));
  } catch {
    return undefined; // The page starts no service on it.
  }
}
