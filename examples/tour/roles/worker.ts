// A worker: holds a lock and writes a report through it, again and again, until the lock is lost.
import { connect, isConclaveError, op } from "@conclave/client";
import { createLock } from "@conclave/lock";

const [endpoint = "", name = ""] = process.argv.slice(2);
const pauseMs = 100;
const client = await connect({ endpoints: [endpoint] });
const held = await createLock(client, "locks/report", { ttlSec: 2, holder: name }).acquire();
console.log(`acquired the lock, fence ${held.fence}`);
for (;;) {
  try {
    await held.txn([op.put("report", `written by ${name} with fence ${held.fence}`)]);
  } catch (error) {
    if (!isConclaveError(error, "OWNERSHIP_LOST")) throw error;
    console.log(`write with fence ${held.fence} refused: ${error.code}; held is ${held.held}`);
    break;
  }
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
}
await client.close();
