// A process whose tasks contend for one lock over and over, each for itself. It says each fence that it gets, and "lost"
// when it has lost a place in the queue.
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, op } from "@conclave/client";
import { createLock } from "@conclave/lock";

const [endpoint, tasks, ttlSec] = process.argv.slice(2);
const client = createClient({ endpoints: [endpoint] });
const lock = createLock(client, "contended", { ttlSec: Number(ttlSec) });

async function contend() {
  for (;;) {
    // One that was stopped has lost its place, and stands in the queue again.
    const held = await lock.acquire().catch(() => undefined);
    console.log(held === undefined ? "lost" : held.fence);
    if (held === undefined) continue;
    for (let round = 0; round < 2; round++) {
      await held.txn([op.put("fenced", held.key)]).catch(() => {});
      await sleep(2);
    }
    await held.release().catch(() => {});
  }
}

await Promise.all(Array.from({ length: Number(tasks) }, contend));
