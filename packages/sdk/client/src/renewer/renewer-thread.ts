/** @module Starts the renewer's thread. */
import { Worker } from "node:worker_threads";
import type { RenewerSettings } from "./renewer-messages.ts";

const fromSource = import.meta.url.endsWith(".ts");
const built = new URL("./renewer-worker.js", import.meta.url);

/** Starts a thread that renews; it keeps no process alive. */
export function startRenewerThread(settings: RenewerSettings): Worker {
  return fromSource ? startFromSource(settings) : new Worker(built, { workerData: settings });
}

/** Tests run the sources, which Node 20 understands in a thread only once it has been told how there. */
function startFromSource(workerData: RenewerSettings): Worker {
  const file = JSON.stringify(new URL("./renewer-worker.ts", import.meta.url).href);
  const start = `import("tsx/esm/api").then(({ register }) => { register(); return import(${file}); });`;
  return new Worker(start, { eval: true, workerData, execArgv: ["--conditions=@conclave/source"] });
}
