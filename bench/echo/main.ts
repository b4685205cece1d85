/**
 * @module Compares what the transports cost alone: `node --import tsx --conditions=@conclave/source
 * bench/echo/main.ts`. Behind docs/adr/0002-grpc-over-node-http2.md and
 * docs/adr/0007-http2-framed-by-ourselves.md.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { PutRequest } from "@conclave/protocol/etcdserverpb";
import { median } from "../compare.ts";
import { type Concurrency, h2loadAbsence, measureCalls } from "../h2load.ts";
import { methods } from "../kv-client.ts";
import { cpuUs } from "../subject.ts";

const transports = ["grpc-js", "node:http2", "@conclave/rpc"] as const;
const loads: readonly Concurrency[] = [
  { connections: 100, streams: 1 },
  { connections: 10, streams: 100 },
];
const rounds = 3;
const request = PutRequest.fromPartial({ key: Buffer.from("bench/key"), value: Buffer.alloc(256, "v") });

interface Echo {
  readonly transport: string;
  readonly child: ChildProcess;
  readonly url: string;
}

async function startEcho(transport: string): Promise<Echo> {
  const script = join(import.meta.dirname, "server.ts");
  // The packages are the built ones, as users run them.
  const args = ["--import", "tsx", script, transport];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { transport, child, url: line.toString().trim() };
}

async function measure({ child, url }: Echo, load: Concurrency): Promise<{ rate: number; us: number }> {
  const pid = child.pid ?? 0;
  const beforeUs = cpuUs(pid);
  const { value, operations = 1 } = await measureCalls(`${url}${methods.put.path}`, {
    ...load,
    ...methods.put,
    request,
  });
  return { rate: value, us: (cpuUs(pid) - beforeUs) / operations };
}

async function run(echoes: readonly Echo[]): Promise<void> {
  for (const load of loads) {
    const samples = echoes.map(() => [] as { rate: number; us: number }[]);
    for (let round = 0; round < rounds; round++)
      for (const [at, echo] of echoes.entries()) samples[at]?.push(await measure(echo, load));
    process.stdout.write(`\n${load.connections} connections of ${load.streams} streams\n`);
    for (const [at, { transport }] of echoes.entries()) {
      const rate = median((samples[at] ?? []).map((sample) => sample.rate));
      const us = median((samples[at] ?? []).map((sample) => sample.us));
      process.stdout.write(
        `  ${transport.padEnd(14)} ${rate.toFixed(0).padStart(7)} calls/s  ${us.toFixed(1)} cpu us a call\n`,
      );
    }
  }
}

const absence = h2loadAbsence();
if (absence !== undefined) throw new Error(absence);
const echoes = await Promise.all(transports.map(startEcho));
try {
  await run(echoes);
} finally {
  for (const { child } of echoes) child.kill();
}
