/** @module A day of sessions on virtual time: fifty live, one of them is replaced every minute, some are lost. */
import type { Session } from "@conclave/client";
import { modelCluster } from "@conclave/client/testing/model-client";
import { aliveBytes, type Weight } from "./heap.ts";

const hours = 24;
const sessions = 50;
const minuteMs = 60_000;

/** The weights at the end of every hour. */
export async function weighSessions(): Promise<readonly Weight[]> {
  const { client, time, network, lessor } = modelCluster({ members: 3 });
  const open = () => time.complete(client.session({ ttlSec: 30 }));
  const live: Session[] = [];
  for (let n = 0; n < sessions; n++) live.push(await open());
  const shared = client.sharedSession({ ttlSec: 30 });
  const weights: Weight[] = [];
  for (let minute = 1; minute <= hours * 60; minute++) {
    await time.advance(minuteMs);
    const [oldest] = live.splice(0, 1);
    // Every tenth is taken away, as by another client; the rest are closed.
    if (oldest !== undefined && minute % 10 === 0) lessor.revoke(oldest.lease);
    else await time.complete(oldest?.close() ?? Promise.resolve());
    live.push(await open());
    if (minute % 60 !== 0) continue;
    // The network in memory remembers every call, for tests.
    network.calls.length = 0;
    weights.push({ when: `hour ${minute / 60}`, bytes: await aliveBytes() });
  }
  if (live.some(({ held }) => !held)) throw new Error("a session was lost that nobody took away");
  await time.complete(shared.close());
  await time.complete(client.close());
  return weights;
}
