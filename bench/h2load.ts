/** @module Unary calls over HTTP/2 by h2load, which is written in C and takes little of the machine for itself. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Codec } from "@conclave/protocol";
import { openKvClient, type UnaryMethod } from "./kv-client.ts";
import type { Load, Measurement, Target } from "./load.ts";
import type { Subject } from "./subject.ts";

const run = promisify(execFile);

/** Why h2load cannot run here; undefined if it can. */
export function h2loadAbsence(): string | undefined {
  if (spawnSync("h2load", ["--version"]).status === 0) return undefined;
  return "h2load is not installed: apt-get install nghttp2-client";
}

/** How many calls are under way. */
export interface Concurrency {
  readonly connections: number;
  readonly streams: number;
}

const measureSec = 5;

function frame<Message>(codec: Codec<Message>, message: Message): Buffer {
  const bytes = codec.encode(message).finish();
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** A load of the same unary call over and over. */
export function unaryLoad<Request, Response>(options: {
  readonly name: string;
  readonly concurrency: Concurrency;
  readonly method: UnaryMethod<Request, Response>;
  readonly request: Request;
  readonly target?: Target;
  readonly members?: number;
  readonly prepare?: (subject: Subject) => Promise<void>;
}): Load {
  const { name, method, request, members = 1, target } = options;
  const prepare = async (subject: Subject): Promise<void> => {
    await options.prepare?.(subject);
    // h2load does not look at the gRPC status: one call by a client that does shows that the request is sound.
    using client = openKvClient(subject.url);
    await client.call(method, request);
  };
  const measure = ({ url }: Subject): Promise<Measurement> =>
    measureCalls(`${url}${method.path}`, { ...options.concurrency, ...method, request });
  return { name, unit: "calls/s", better: "higher", members, prepare, measure, ...(target && { target }) };
}

/** A call, how often it is under way at once, and how many of it a second are begun; default: as many as are answered. */
export interface Calls<Request> extends Concurrency {
  readonly requestType: Codec<Request>;
  readonly request: Request;
  readonly perSecond?: number;
}

/** Calls a method for some seconds over so many connections and streams. */
export async function measureCalls<Request>(url: string, load: Calls<Request>): Promise<Measurement> {
  return (await measureTimes(url, load)).measurement;
}

/** Likewise, and tells how long each call took, in microseconds. */
export async function measureTimes<Request>(
  url: string,
  load: Calls<Request>,
): Promise<{ readonly measurement: Measurement; readonly tookUs: readonly number[] }> {
  const directory = await mkdtemp(join(tmpdir(), "bench-h2load-"));
  try {
    const [request, log] = [join(directory, "request"), join(directory, "log")];
    await writeFile(request, frame(load.requestType, load.request));
    const { perSecond } = load;
    const paced = perSecond === undefined ? [] : [`--rps=${perSecond / load.connections}`, `--log-file=${log}`];
    const { stdout } = await run("h2load", [
      ...["-c", String(load.connections), "-m", String(load.streams), "-D", String(measureSec), ...paced],
      ...["-d", request, "-H", "content-type: application/grpc", "-H", "te: trailers", url],
    ]);
    const tookUs = perSecond === undefined ? [] : parseLog(await readFile(log, "utf8"));
    return { measurement: parseReport(stdout), tookUs };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The third column of h2load's log is how long a call took. */
function parseLog(log: string): readonly number[] {
  return log
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Number(line.split("\t")[2]));
}

/** Reads h2load's report; a call that failed makes the figure worthless. */
function parseReport(report: string): Measurement {
  const rate = /finished in [^,]+, ([\d.]+) req\/s/.exec(report)?.[1];
  const counts = /(\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored/.exec(report);
  if (rate === undefined || counts === null) throw new Error(`Cannot read the report of h2load:\n${report}`);
  const [done, failed, errored] = counts.slice(1).map(Number);
  if (done === 0 || failed !== 0 || errored !== 0) throw new Error(`Calls failed under h2load:\n${report}`);
  return { value: Number(rate), operations: done ?? 0 };
}
