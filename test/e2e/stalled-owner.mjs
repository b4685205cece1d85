// A process that holds a lock, leads and is registered, each once with and once without a thread that renews. It says
// "ready", blocks its event loop until it was blocked, or stopped by a signal, for as long as told, and says what it finds
// at the first look, before any timer or signal has run, and what becomes of its writes.
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, op } from "@conclave/client";
import { createElection } from "@conclave/election";
import { createLock } from "@conclave/lock";
import { createRegistry } from "@conclave/registry";

const [endpoint, prefix, ttl, blockMs] = process.argv.slice(2);
const ttlSec = Number(ttl);

/** What is owned: what the owner says of it, and how it writes under it, if it can. */
const asOwned = (name, ownership) => ({
  name,
  held: () => ownership.held,
  leftMs: () => ownership.remainingMs,
  write: () => ownership.txn([op.put(`${name}-fence`, String(ownership.fence))]),
});

async function own(client, how, options) {
  const name = (kind) => `${prefix}-${kind}-${how}`;
  const lock = await createLock(client, name("lock"), options).acquire();
  const leadership = await createElection(client, name("leadership"), options).campaign("owner");
  const registration = await createRegistry(client, options).register({
    service: name("registration"),
    addresses: { http: "http://127.0.0.1:1" },
  });
  const session = await client.sharedSession(options).ready();
  if (how === "renewed") await renewedByThread(session);
  return [
    asOwned(name("lock"), lock),
    asOwned(name("leadership"), leadership),
    {
      name: name("registration"),
      held: () => registration.state === "registered",
      leftMs: () => session.remainingMs,
      write: undefined,
    },
  ];
}

/** Waits until a thread renews, or until the session is lost: a busy machine may start threads too late. */
function renewedByThread(session) {
  return new Promise((resolve) => {
    session.on("renewed", ({ byThread }) => byThread === true && resolve());
    session.signal.addEventListener("abort", resolve);
    if (session.signal.aborted) resolve();
  });
}

/** Waits until something was renewed, so that most of its time to live is left, or lost. */
async function untilRenewed({ leftMs, held }) {
  for (let beforeMs = leftMs(); held() && leftMs() <= beforeMs; await sleep(5)) beforeMs = leftMs();
}

/** Owns everything. On a busy machine something may be lost before the stall begins: then once more. */
async function ownAll() {
  for (;;) {
    const client = await connect({ endpoints: [endpoint] });
    const all = [
      ...(await own(client, "plain", { ttlSec })),
      ...(await own(client, "renewed", { ttlSec, renewer: { maxStallMs: 600_000 } })),
    ];
    await Promise.all(all.map(untilRenewed));
    if (all.every(({ held }) => held())) return all;
    await client.close();
  }
}

/** Blocks the loop for so long; or else until the process was stopped, which it sees by the clock, since it said so. */
function block(readyMs) {
  if (blockMs !== "until-stopped") {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(blockMs));
    return;
  }
  for (let lastMs = readyMs; ; ) {
    const stoppedMs = performance.now() - lastMs;
    if (stoppedMs > (ttlSec * 1_000) / 4) return;
    lastMs += stoppedMs;
  }
}

const all = await ownAll();
const before = all.map(({ leftMs }) => ({ leftMs: leftMs(), atMs: performance.now() }));
// Whoever reads that it is ready may stop it before its next step. It is written at once: nothing that is written later
// comes out before the loop runs again.
const readyMs = performance.now();
writeSync(1, "ready\n");
block(readyMs);
const looks = all.map(({ name, held }, at) => {
  const { leftMs, atMs } = before[at];
  return { name, held: held(), leftMs: leftMs - (performance.now() - atMs) };
});
const outcomes = await Promise.all(
  all.map(({ write }) =>
    write?.().then(
      () => "done",
      ({ code }) => code,
    ),
  ),
);
console.log(JSON.stringify({ owned: looks.map((look, at) => ({ ...look, outcome: outcomes[at] })) }));
await new Promise(() => setInterval(() => {}, 60_000));
