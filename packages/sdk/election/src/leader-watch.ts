import { type ClientView, type KeyValue, prefix, type WatchBatch } from "@conclave/client";
import { type ObservedLeader, toLeader } from "./candidate.ts";

/** The candidates of an election as of one revision; the oldest leads. */
class Candidates {
  readonly #byKey = new Map<string, KeyValue>();

  apply(batch: WatchBatch): void {
    if (batch.kind === "resync") {
      this.#byKey.clear();
      for (const kv of batch.snapshot) this.#byKey.set(kv.keyString, kv);
      return;
    }
    for (const { type, kv } of batch.events) {
      if (type === "put") this.#byKey.set(kv.keyString, kv);
      else this.#byKey.delete(kv.keyString);
    }
  }

  get leader(): KeyValue | undefined {
    let oldest: KeyValue | undefined;
    for (const kv of this.#byKey.values()) {
      if (oldest === undefined || kv.createRevision < oldest.createRevision) oldest = kv;
    }
    return oldest;
  }
}

/**
 * Tells who leads, in order: each leader, and each value it proclaims. One watch follows all candidates, and a revision
 * is looked at whole, so nobody is named who did not lead at that revision.
 */
export async function* watchLeader(
  client: ClientView,
  name: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObservedLeader, void, undefined> {
  const candidates = new Candidates();
  let told: KeyValue | undefined;
  await using watcher = client.watch(prefix(`${name}/`), { from: "snapshot", onCompaction: "resync", signal });
  for await (const batch of watcher) {
    candidates.apply(batch);
    const { leader } = candidates;
    if (leader === undefined || (leader.keyString === told?.keyString && leader.modRevision === told.modRevision))
      continue;
    told = leader;
    yield { ...toLeader(leader), asOf: batch.revision };
  }
}
