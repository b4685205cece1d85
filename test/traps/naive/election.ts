/**
 * @module An election as it is often written: who was elected leads until a keep-alive fails or an answer says that the
 * lease is gone, and whoever put a candidate's key last is taken for the leader.
 */
import { type Client, compare, op, prefix } from "@conclave/client";

const name = "election";

/** A leader that learns of its loss by asking. */
export interface NaiveLeader {
  readonly isLeader: boolean;
  /** Writes if it takes itself for the leader. @returns whether it was written */
  write(key: string, value: string): Promise<boolean>;
}

/** Stands until elected: the put decides, and nobody looks again. */
export async function naiveCampaign(client: Client, value: string, ttlSec: number): Promise<NaiveLeader> {
  const { scheduler } = client.ports;
  const pause = (delayMs: number) => new Promise<void>((resolve) => void scheduler.after(delayMs, resolve));
  for (;;) {
    const { id: lease } = await client.lease.grant({ ttlSec });
    const { succeeded } = await client
      .txn()
      .if(compare.createRevision(`${name}/leader`).equal(0))
      .then(op.put(`${name}/leader`, value, { lease }))
      .commit();
    if (succeeded) return keepLeading(client, lease, (ttlSec * 1_000) / 3);
    await client.lease.revoke(lease);
    await pause(500);
  }
}

function keepLeading(client: Client, lease: bigint, everyMs: number): NaiveLeader {
  let isLeader = true;
  const renew = async () => {
    try {
      await client.lease.keepAliveOnce(lease);
      client.ports.scheduler.after(everyMs, () => void renew());
    } catch {
      isLeader = false;
    }
  };
  void renew();
  return {
    get isLeader() {
      return isLeader;
    },
    async write(key, value) {
      if (!isLeader) return false;
      return await client.put(key, value, { idempotent: true }).then(
        () => true,
        () => false,
      );
    },
  };
}

/** Tells of leaders: whatever is put below the name is one. */
export async function* naiveObserve(client: Client, signal: AbortSignal): AsyncGenerator<string> {
  await using watcher = client.watch(prefix(`${name}/`), { signal });
  for await (const batch of watcher) for (const { type, kv } of batch.events) if (type === "put") yield kv.valueString;
}
