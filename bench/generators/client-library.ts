/**
 * @module A client library under load. Prints how many puts or gets it makes in a second, a hundred in flight; or how many
 * events of one watch it takes in a second of its processor's time, as no server sends as many as it could take.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createClient, prefix } from "@conclave/client";
import { Etcd3 } from "etcd3";

const [url = "", library = "", operation = ""] = process.argv.slice(2);
const inFlight = 100;
const warmUpMs = 1_000;
const measureMs = 4_000;
const key = "bench/library";
const value = "v".repeat(256);

/** What a load needs of a library. */
interface Library {
  readonly put: () => Promise<unknown>;
  readonly get: () => Promise<unknown>;
  readonly watch: (onEvent: () => void) => Promise<unknown>;
}

function conclave(transport: "grpc-js" | "http2"): Library {
  const client = createClient({ endpoints: [new URL(url).host], transport });
  return {
    put: () => client.put(key, value),
    get: () => client.get(key),
    watch: async (onEvent) => {
      const watcher = client.watch(prefix(key));
      watcher.on("put", onEvent);
      await watcher.ready();
    },
  };
}

function etcd3(): Library {
  const client = new Etcd3({ hosts: url });
  return {
    put: async () => await client.put(key).value(value),
    get: () => client.get(key).buffer(),
    watch: async (onEvent) => (await client.watch().prefix(key).create()).on("put", onEvent),
  };
}

const libraries: Readonly<Record<string, () => Library>> = {
  etcd3,
  conclave: () => conclave("grpc-js"),
  "conclave-http2": () => conclave("http2"),
};
const subject = libraries[library]?.();
if (subject === undefined) throw new Error(`There is no library called "${library}"`);
const { put, get, watch } = subject;
let done = 0;
const count = (): void => {
  done++;
};

async function repeat(operate: () => Promise<unknown>): Promise<never> {
  for (;;) {
    await operate();
    count();
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Feeds the watch. */
function startWriter(): void {
  const file = join(import.meta.dirname, "prefix-writer.ts");
  const writer = spawn(process.execPath, [...process.execArgv, file, url, `${key}/`], { stdio: "ignore" });
  process.once("exit", () => writer.kill());
}

await put();
if (operation === "watch") {
  await watch(count);
  startWriter();
} else for (let at = 0; at < inFlight; at++) void repeat(operation === "get" ? get : put);
await wait(warmUpMs);
const [startMs, startCpu] = [performance.now(), process.cpuUsage()];
done = 0;
await wait(measureMs);
const cpu = process.cpuUsage(startCpu);
const spentSec = operation === "watch" ? (cpu.user + cpu.system) / 1e6 : (performance.now() - startMs) / 1e3;
process.stdout.write(JSON.stringify({ value: done / spentSec, operations: done }));
process.exit();
