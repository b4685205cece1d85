import { binaryString, binaryStringBytes } from "@conclave/base";
import { deletedKeyValue, type KeyValue } from "../kv/key-value.ts";
import type { WatchEvent } from "./watch-batch.ts";

/** What a watch has told its consumer: which keys there are, and the revision of each. */
export class WatchView {
  #modRevisions = new Map<string, number>();

  /** Takes a pair as told without telling it. */
  learn(kv: KeyValue): void {
    this.#modRevisions.set(binaryString(kv.key), kv.modRevision);
  }

  /** Takes note of an event. */
  apply(event: WatchEvent): void {
    if (event.type === "put") this.learn(event.kv);
    else this.#modRevisions.delete(binaryString(event.kv.key));
  }

  /**
   * Replaces the view by what is there.
   *
   * @param snapshot - every pair of the range
   * @param revision - when
   * @returns the events that lead from what was told to what is there, deletions first
   */
  replace(snapshot: readonly KeyValue[], revision: number): readonly WatchEvent[] {
    const before = this.#modRevisions;
    this.#modRevisions = new Map(snapshot.map((kv) => [binaryString(kv.key), kv.modRevision]));
    const deletions = [...before.keys()]
      .filter((key) => !this.#modRevisions.has(key))
      .map(
        (key): WatchEvent => ({
          type: "delete",
          kv: deletedKeyValue(Uint8Array.from(binaryStringBytes(key)), revision),
          prevKv: undefined,
        }),
      );
    const puts = snapshot
      .filter((kv) => before.get(binaryString(kv.key)) !== kv.modRevision)
      .map((kv): WatchEvent => ({ type: "put", kv, prevKv: undefined }));
    return [...deletions, ...puts];
  }
}
