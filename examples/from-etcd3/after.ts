/** @module The program on Conclave. */
import { compare, connect, op, prefix } from "@conclave/client";
import { createElection } from "@conclave/election";
import { createLock } from "@conclave/lock";
import type { Program } from "./program.ts";

/** Settings, presence, a compare-and-set, a lock and a leader, as Conclave has them. */
export const after: Program = async (endpoint, say) => {
  await using client = await connect({ endpoints: [endpoint] });
  const instances = async () => {
    const { kvs } = await client.range(prefix("instances/"));
    return JSON.stringify(Object.fromEntries(kvs.map((kv) => [kv.keyString, kv.valueString])));
  };

  // Settings, and a watch: it survives reconnections and compactions, and a revision is told whole.
  const watcher = client.watch(prefix("shop/"));
  await watcher.ready();
  const changed = new Promise<void>((resolve) => {
    watcher.on("put", ({ kv }) => {
      say(`${kv.keyString} is now ${kv.valueString}`);
      if (kv.valueString === "200") resolve();
    });
  });
  await client.put("shop/limit", "100");
  say(`the limit is ${await client.getString("shop/limit")}`);

  // Compare and set.
  const { succeeded } = await client
    .txn()
    .if(compare.value("shop/limit").equal("100"))
    .then(op.put("shop/limit", "200"))
    .commit();
  say(`raised: ${succeeded}`);
  await changed;
  watcher.close();

  // Presence, which ends with the session; `@conclave/registry` does more, and comes back after a loss.
  const session = await client.session({ ttlSec: 10 });
  await client.put("instances/shop-1", "10.0.0.7", { lease: session.lease });
  say(`instances: ${await instances()}`);
  await session.close();
  say(`instances: ${await instances()}`);

  // A lock: whoever wants it waits in line, and whether it is held is computed when it is asked.
  await using lock = await createLock(client, "locks/report", { ttlSec: 10 }).acquire();
  if (lock.held) say("the report is written under the lock");

  // A leader, whose writes carry its fence.
  const election = createElection(client, "leaders/shop", { ttlSec: 10 });
  const leadership = await election.campaign("shop-1");
  say(`the leader is ${(await election.leader())?.value}`);
  await leadership.resign();
};
