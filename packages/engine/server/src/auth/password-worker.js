// Hashes and compares passwords, one after another, in a thread of its own: what takes tens of milliseconds must hold
// up neither the event loop nor the thread pool, in which the log is synced. Plain JavaScript, as sources and build
// share it.
import { parentPort } from "node:worker_threads";
import { compareSync, hashSync } from "@node-rs/bcrypt";

function answer(job) {
  return job.kind === "hash" ? hashSync(job.password, job.cost) : compareSync(job.password, job.hash);
}

parentPort.on("message", (job) => {
  try {
    parentPort.postMessage({ value: answer(job) });
  } catch {
    // What bcrypt says of an input may quote it.
    parentPort.postMessage({ failed: true });
  }
});
