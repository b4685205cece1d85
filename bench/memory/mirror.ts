/** @module A mirror of a hundred thousand keys on a member in a process of its own: what a key costs, and updates add. */
import { type Client, connect, op, prefix } from "@conclave/client";
import { startSubject } from "../subject.ts";
import { aliveBytes, type Weight } from "./heap.ts";

const keys = 100_000;
const valueBytes = 256;
const perTxn = 100;
const rounds = 4;
const updatesPerRound = 25_000;

async function write(client: Client, from: number, count: number): Promise<number> {
  let revision = 0;
  for (let at = from; at < from + count; at += perTxn) {
    const puts = Array.from({ length: perTxn }, (_, n) => {
      const key = `mirror/${String((at + n) % keys).padStart(25, "0")}`;
      return op.put(key, new Uint8Array(valueBytes).fill(at));
    });
    ({ revision } = await client
      .txn()
      .then(...puts)
      .commit());
  }
  return revision;
}

/** The weights: before, with the mirror, and after each round of updates, after which every key has been written anew. */
export async function weighMirror(): Promise<readonly Weight[]> {
  await using subject = await startSubject("conclave", { members: 1 });
  await using writer = await connect({ endpoints: subject.url });
  await using reader = await connect({ endpoints: subject.url });
  const filled = await write(writer, 0, keys);
  const weights: Weight[] = [{ when: "before", bytes: await aliveBytes() }];
  await using mirror = reader.mirror(prefix("mirror/"));
  await mirror.get("mirror/", { consistency: filled, timeoutMs: 60_000 });
  weights.push({ when: `${mirror.size} keys`, bytes: await aliveBytes() });
  for (let round = 1; round <= rounds; round++) {
    const written = await write(writer, (round - 1) * updatesPerRound, updatesPerRound);
    await mirror.get("mirror/", { consistency: written, timeoutMs: 60_000 });
    weights.push({ when: `${round * updatesPerRound} updates`, bytes: await aliveBytes() });
  }
  return weights;
}
