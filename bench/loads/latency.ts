/** @module How long a put takes at most, 99 times in 100, while etcd has half to do of what it can. */
import { PutRequest } from "@conclave/protocol/etcdserverpb";
import { measureCalls, measureTimes } from "../h2load.ts";
import { methods } from "../kv-client.ts";
import type { Load, Measurement } from "../load.ts";
import type { Subject } from "../subject.ts";

const request = PutRequest.fromPartial({ key: Buffer.from("bench/key-of-the-load"), value: Buffer.alloc(256, "v") });
const puts = { ...methods.put, request, connections: 100, streams: 1 };

/** The most puts a second of the server that was prepared first, which is etcd unless it is left out. */
let peakPerSecond: number | undefined;

async function findPeak({ url }: Subject): Promise<void> {
  peakPerSecond ??= (await measureCalls(`${url}${methods.put.path}`, puts)).value;
}

async function measure({ url }: Subject): Promise<Measurement> {
  const perSecond = (peakPerSecond ?? 0) / 2;
  const { measurement, tookUs } = await measureTimes(`${url}${methods.put.path}`, { ...puts, perSecond });
  const sorted = tookUs.toSorted((left, right) => left - right);
  const p99Us = sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;
  return { ...measurement, value: p99Us / 1_000 };
}

/** The load. */
export const latencyLoads: readonly Load[] = [
  {
    name: "put-p99",
    unit: "ms",
    better: "lower",
    target: { of: "ratio", value: 1 },
    prepare: findPeak,
    measure,
  },
];
