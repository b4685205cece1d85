// Holds locks, blocks its event loop for longer than their leases live, and says what it finds at the first look and later.
import { setTimeout as sleep } from "node:timers/promises";
import { connect, op } from "@conclave/client";
import { createLock } from "@conclave/lock";

const ttlSec = 5;
const [endpoint] = process.argv.slice(2);
const client = await connect({ endpoints: [endpoint] });

/** Waits until a lock was renewed: the thread that does it takes a while to start. */
async function untilRenewed(lock) {
  let leftMs;
  do {
    leftMs = lock.remainingMs;
    await sleep(20);
  } while (lock.held && lock.remainingMs <= leftMs);
  return lock;
}

const options = {
  renewed: { renewer: { maxStallMs: 60_000 } },
  hung: { renewer: { maxStallMs: 200 } },
  plain: {},
};
const locks = await Promise.all(
  Object.entries(options).map(([name, more]) =>
    createLock(client, name, { ttlSec, ...more })
      .acquire()
      .then(untilRenewed),
  ),
);

/** As it is often done: a timer of the main loop renews, and another one says when the lock is lost. */
const { id } = await client.lease.grant({ ttlSec });
await client.put("naive", "", { lease: id });
const naive = new AbortController();
let renewedAtMs = Date.now();
const renewing = setInterval(async () => {
  if (Date.now() - renewedAtMs > ttlSec * 1_000) naive.abort();
  await client.lease.keepAliveOnce(id).then(
    () => {
      renewedAtMs = Date.now();
    },
    () => {},
  );
}, 1_000);

Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1.6 * ttlSec * 1_000);
const firstLook = { ...Object.fromEntries(locks.map((lock) => [lock.name, lock.held])), naive: !naive.signal.aborted };
const writes = await Promise.all(
  locks.map(async (lock) => {
    const outcome = await lock.txn([op.put(`${lock.name}/written`, "")]).then(
      () => "done",
      ({ code }) => code,
    );
    return [lock.name, outcome];
  }),
);
const naiveKey = (await client.get("naive")) === undefined ? "gone" : "there";
clearInterval(renewing);
console.log(JSON.stringify({ firstLook, writes: Object.fromEntries(writes), naiveKey }));
await client.close();
