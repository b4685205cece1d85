/** @module The program on npm `etcd3`. */
import { Etcd3 } from "etcd3";
import type { Program } from "./program.ts";

/** Settings, presence, a compare-and-set, a lock and a leader, as `etcd3` has them. */
export const before: Program = async (endpoint, say) => {
  const client = new Etcd3({ hosts: endpoint });
  try {
    // Settings, and a watch.
    const watcher = await client.watch().prefix("shop/").create();
    const changed = new Promise<void>((resolve) => {
      watcher.on("put", ({ key, value }) => {
        say(`${key} is now ${value}`);
        if (value.toString() === "200") resolve();
      });
    });
    await client.put("shop/limit").value("100");
    say(`the limit is ${await client.get("shop/limit").string()}`);

    // Compare and set.
    const { succeeded } = await client
      .if("shop/limit", "Value", "==", "100")
      .then(client.put("shop/limit").value("200"))
      .commit();
    say(`raised: ${succeeded}`);
    await changed;
    await watcher.cancel();

    // Presence, which ends with the lease.
    const lease = client.lease(10);
    await lease.put("instances/shop-1").value("10.0.0.7");
    say(`instances: ${JSON.stringify(await client.getAll().prefix("instances/").strings())}`);
    await lease.revoke();
    say(`instances: ${JSON.stringify(await client.getAll().prefix("instances/").strings())}`);

    // A lock: nobody is told when it is lost, and a second holder would throw rather than wait.
    await client
      .lock("locks/report")
      .ttl(10)
      .do(async () => say("the report is written under the lock"));

    // A leader: whether it still leads is up to the events.
    const campaign = client.election("leaders/shop", 10).campaign("shop-1");
    await new Promise<void>((resolve) => campaign.on("elected", () => resolve()));
    say(`the leader is ${await client.election("leaders/shop").leader()}`);
    await campaign.resign();
  } finally {
    client.close();
  }
};
