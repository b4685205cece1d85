/** @module The proxies of `bin/conclave` as processes, and etcdctl in front of them. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { freePorts, type ServerProcess, startServerProcess } from "@conclave/testkit";

const bin = join(import.meta.dirname, "..", "..", "bin");

/** A proxy that runs. Disposing of it kills it. */
export interface ProxyProcess extends ServerProcess, AsyncDisposable {
  /** Where it serves clients, as `host:port`. */
  readonly endpoint: string;
  /** Where it answers over plain HTTP/1.1. */
  readonly httpUrl: string;
}

async function start(kind: string, flags: readonly string[], at: { port: number; httpPort: number }) {
  const [endpoint, httpUrl] = [`127.0.0.1:${at.port}`, `http://127.0.0.1:${at.httpPort}`];
  const args = [kind, "start", `--listen-addr=${endpoint}`, ...flags];
  const server = await startServerProcess({ name: kind, binary: join(bin, "conclave"), args, url: httpUrl });
  return Object.assign(server, { endpoint, httpUrl, [Symbol.asyncDispose]: () => server.kill() });
}

/** Starts `conclave gateway` before members that serve without TLS. */
export async function startGatewayProcess(flags: readonly string[]): Promise<ProxyProcess> {
  const [port = 0] = await freePorts(1);
  return await start("gateway", flags, { port, httpPort: port });
}

/** Starts `conclave grpc-proxy`. */
export async function startGrpcProxyProcess(flags: readonly string[]): Promise<ProxyProcess> {
  const [port = 0, httpPort = 0] = await freePorts(2);
  return await start("grpc-proxy", [`--metrics-addr=http://127.0.0.1:${httpPort}`, ...flags], { port, httpPort });
}

/** What a command printed, and how it ended. */
export interface Printed {
  readonly out: string;
  readonly err: string;
  readonly status: number | null;
}

/** How to run a control program. */
export interface CtlOptions {
  /** What is typed into it; default: nothing. */
  readonly stdin?: string;
  /** Interrupts the command when it has printed this; default: the command ends by itself. */
  readonly untilPrinted?: string;
}

/** A control program that is given an endpoint, and perhaps more flags, once. */
export function ctl(program: "etcdctl" | "conclavectl", flags: readonly string[]) {
  const binary = program === "etcdctl" ? program : join(bin, program);
  return async (args: readonly string[], { stdin = "", untilPrinted }: CtlOptions = {}): Promise<Printed> => {
    const child = spawn(binary, [...flags, ...args], { env: { PATH: process.env.PATH, ETCDCTL_API: "3" } });
    child.stdin.on("error", () => undefined).end(stdin);
    if (untilPrinted !== undefined) interruptWhenPrinted(child, untilPrinted);
    const printed = Promise.all([text(child.stdout), text(child.stderr)]);
    const [status] = (await once(child, "close")) as [number | null];
    const [out, err] = await printed;
    return { out, err, status };
  };
}

function interruptWhenPrinted(child: ChildProcessWithoutNullStreams, awaited: string): void {
  let printed = "";
  child.stdout.on("data", (bytes: Buffer) => {
    printed += bytes;
    if (printed.includes(awaited)) child.kill("SIGINT");
  });
}

/** Why etcdctl cannot be used here; undefined if it can. */
export function etcdctlAbsence(): string | undefined {
  if (spawnSync("etcdctl", ["version"]).status === 0) return undefined;
  const absent = "etcd-client is not installed: apt-get install etcd-client";
  if (process.env.CI_REQUIRE_PEERS === "1") throw new Error(absent);
  return absent;
}
