/** @module The renewer's thread: a keep-alive stream of its own, silent while the main loop does not run. */
import { parentPort, workerData } from "node:worker_threads";
import { invariant, systemScheduler } from "@conclave/base";
import { defaultLimits } from "../calls/limits.ts";
import { KeepAliveLoop } from "../lease/keep-alive-loop.ts";
import { createSystemClock, systemRandom } from "../system-ports.ts";
import { withCredentials } from "../transport/credentials.ts";
import { EndpointPool } from "../transport/endpoint-pool.ts";
import { createGrpcTransport } from "../transport/grpc-transport.ts";
import type { FromRenewer, RenewerSettings, ToRenewer } from "./renewer-messages.ts";
import { Heartbeat, RenewalCell, sharedClockMs } from "./shared-cells.ts";

const port = parentPort;
invariant(port !== null, "the renewer runs in a thread of its own");
const { endpoints, tls, credentials } = workerData as RenewerSettings;
const clock = createSystemClock();
const plain = createGrpcTransport({ tls });
const loop = new KeepAliveLoop({
  clock,
  random: systemRandom,
  scheduler: systemScheduler,
  transport: credentials === undefined ? plain : withCredentials(plain, credentials),
  pool: new EndpointPool(endpoints, { clock, random: systemRandom }),
  closed: new AbortController().signal,
  timeoutMs: Number.POSITIVE_INFINITY,
  limits: defaultLimits,
  onStatus: () => {},
});
const removers = new Map<bigint, () => void>();
const say = (message: FromRenewer) => port.postMessage(message);

function add({ lease, ttlSec, ...rest }: Extract<ToRenewer, { kind: "add" }>): void {
  removers.get(lease)?.();
  const cell = new RenewalCell(rest.cell);
  const heartbeat = new Heartbeat(rest.heartbeat);
  const remove = loop.add(lease, ttlSec, {
    mayRenew: () => heartbeat.ageMs <= rest.maxStallMs,
    onRenewed(renewal) {
      // The main thread knows nothing of this thread's clock, but of the one both share.
      cell.write({ sentAtMs: sharedClockMs() - (clock.monotonicMs() - renewal.sentAtMs), ttlSec: renewal.ttlSec });
      say({ kind: "renewed", lease });
    },
    onGone() {
      removers.delete(lease);
      say({ kind: "gone", lease });
    },
  });
  removers.set(lease, remove);
}

port.on("message", (message: ToRenewer) => {
  switch (message.kind) {
    case "add":
      add(message);
      return;
    case "remove":
      removers.get(message.lease)?.();
      removers.delete(message.lease);
  }
});
