import { utf8Text } from "@conclave/base";
import type { WatchBatch, Watcher } from "@conclave/client";
import { type Event, Event_EventType as EventType } from "@conclave/protocol/mvccpb";

/** An event in words, the same for both sides. */
export function inWords({ type, kv }: Event): string {
  const key = utf8Text(kv?.key ?? new Uint8Array(0));
  if (type === EventType.DELETE) return `${kv?.modRevision}: delete ${key}`;
  return `${kv?.modRevision}: put ${key}=${utf8Text(kv?.value ?? new Uint8Array(0))}`;
}

/** What a watch tells, in words, as it comes. */
export function collect(watcher: Watcher): { readonly told: string[]; readonly batches: WatchBatch[] } {
  const told: string[] = [];
  const batches: WatchBatch[] = [];
  watcher.on("batch", (batch) => {
    batches.push(batch);
    for (const { type, kv } of batch.events)
      told.push(`${kv.modRevision}: ${type} ${kv.keyString}${type === "put" ? `=${kv.valueString}` : ""}`);
  });
  return { told, batches };
}
