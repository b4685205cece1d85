/** @module Programs on clients in other languages, unchanged from Debian's packages, that print what they see. */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const cache = join(import.meta.dirname, "..", "..", "node_modules", ".cache", "clients");
const packaged = "/usr/share/gocode";

/** A program, ready to be run. */
export interface ClientProgram {
  readonly binary: string;
  /** What comes before its own arguments. */
  readonly args: readonly string[];
}

/** Why the program on etcd's Go client cannot be built, or undefined if it can. */
export function goAbsence(): string | undefined {
  if (spawnSync("/usr/bin/go", ["version"]).status !== 0) return "golang-go is not installed";
  const there = existsSync(join(packaged, "src/go.etcd.io/etcd/clientv3"));
  return there ? undefined : "golang-etcd-server-dev is not installed";
}

/** Builds the program on etcd's Go client, which takes a minute the first time. */
export async function goProgram(): Promise<ClientProgram> {
  const binary = join(cache, "go-client");
  await mkdir(cache, { recursive: true });
  await promisify(execFile)("/usr/bin/go", ["build", "-o", binary, "."], {
    cwd: join(import.meta.dirname, "go"),
    env: { PATH: process.env.PATH, GO111MODULE: "off", GOPATH: packaged, GOCACHE: join(cache, "go-build") },
  });
  return { binary, args: [] };
}

/** Why a program on a Python package cannot be run, or undefined if it can. */
export function pythonAbsence(module: "etcd3" | "etcd3gw"): string | undefined {
  const there = spawnSync("/usr/bin/python3", ["-c", `import ${module}`]).status === 0;
  return there ? undefined : `python3-${module} is not installed`;
}

/** The program on a Python package. */
export function pythonProgram(script: "grpc_client.py" | "gateway_client.py"): ClientProgram {
  return { binary: "/usr/bin/python3", args: [join(import.meta.dirname, "python", script)] };
}

/**
 * Runs a program to its end.
 *
 * @param during - what to do once it has printed `under way`; its standard input is ended behind that
 * @returns what it printed
 * @throws Error with what it wrote to standard error, if it does not end with status 0 in time
 */
export async function transcriptOf(
  program: ClientProgram,
  args: readonly string[],
  during?: () => Promise<void>,
): Promise<string> {
  const child = spawn(program.binary, [...program.args, ...args], { env: { PATH: process.env.PATH }, timeout: 50_000 });
  const written = { out: "", err: "" };
  child.stdout.on("data", (text) => {
    written.out += text;
  });
  child.stderr.on("data", (text) => {
    written.err += text;
  });
  const closed = once(child, "close");
  if (during !== undefined) {
    await Promise.race([untilPrinted(child, () => written.out.includes("under way")), closed]);
    await during();
  }
  child.stdin.end("\n");
  await closed;
  if (child.exitCode !== 0)
    throw new Error(`${args.join(" ")} ended with ${child.exitCode}:\n${written.err}\n${written.out}`);
  return written.out;
}

async function untilPrinted(child: ChildProcess, printed: () => boolean): Promise<void> {
  while (!printed() && child.stdout !== null) await once(child.stdout, "data");
}
