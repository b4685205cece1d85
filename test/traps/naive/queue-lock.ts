/**
 * @module A lock as it is often written over the raw calls: a queue of leased keys, where a holder believes in its lock until
 * a timer tells it otherwise, by the wall clock and from when the answers came.
 */
import { type ClientView, prefix } from "@conclave/client";

/** A lock that is held, as far as it knows. */
export interface NaiveHeldLock {
  /** Its key. */
  readonly key: string;
  /** Aborted by a timer. */
  readonly signal: AbortSignal;
  /** Whether no timer has said otherwise. */
  readonly held: boolean;
  /** Whether its end has not come by the wall clock, counted from when the last answer came. */
  readonly heldByClock: boolean;
  /** Writes if it is held. */
  write(key: string, value: string): Promise<void>;
}

/** Stands in the queue until whoever was before it is gone. */
export async function acquireNaively(
  client: ClientView,
  name: string,
  { ttlSec }: { readonly ttlSec: number },
): Promise<NaiveHeldLock> {
  const { clock, scheduler } = client.ports;
  const { id } = await client.lease.grant({ ttlSec });
  let endMs = clock.wallMs() + ttlSec * 1_000;
  const controller = new AbortController();
  const renew = (): void => {
    scheduler.after((ttlSec * 1_000) / 3, () => {
      client.lease.keepAliveOnce(id).then(
        () => {
          endMs = clock.wallMs() + ttlSec * 1_000;
        },
        () => {},
      );
      if (clock.wallMs() >= endMs) controller.abort();
      else renew();
    });
  };
  renew();

  const key = `${name}/${id.toString(16)}`;
  const { revision } = await client.put(key, "", { lease: id });
  const before = { sortBy: "createRevision", order: "descending", limit: 1, maxCreateRevision: revision - 1 } as const;
  const [predecessor] = (await client.range(prefix(`${name}/`), before)).kvs;
  if (predecessor !== undefined)
    for await (const _ of client.watch(predecessor.key, { only: "delete", from: revision + 1 })) break;
  return {
    key,
    signal: controller.signal,
    get held() {
      return !controller.signal.aborted;
    },
    get heldByClock() {
      return clock.wallMs() < endMs;
    },
    async write(target, value) {
      if (!controller.signal.aborted) await client.put(target, value);
    },
  };
}
