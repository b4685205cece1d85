/**
 * @module Who is there of one service, and who is kept though the store no longer has them. An instance that leaves in
 * order says so first: it is draining when its key goes. One that was up and vanishes may have crashed, or may have lost
 * its lease because the store was out of reach, which then happens to many at once. So what vanishes leaves at once while
 * it is little; when all of a service, or more than a share of it within a window, have vanished, all these are held:
 *
 * ```text
 * 10 instances, share 0.5, window 15 s, hold 60 s
 * 0 s    3 vanish    7 are shown: crashes, as far as anyone can tell
 * 5 s    3 vanish   10 are shown: 6 of 10 within the window is more than half, so they are held, the first three again
 * 20 s   8 came back 10 are shown: 2 of them held
 * 65 s              8 are shown: nobody is held for more than 60 s after it vanished
 * ```
 *
 * Others that come in their place release them: there are never more shown, because of those held, than there were before.
 */
import { isDeepStrictEqual } from "node:util";
import type { Instance, InstanceMetadata } from "../instance.ts";

/** When instances are held that the store no longer has. */
export interface Protection {
  /** The share of a service's instances above which vanishing within the window counts as the store's fault, in [0, 1). */
  readonly share: number;
  /** How far apart vanishings count together, in milliseconds. */
  readonly windowMs: number;
  /** How long an instance is held after it vanished, in milliseconds; 0 holds nobody. */
  readonly holdMs: number;
}

/** One change of a live set. */
export interface InstanceChange<Metadata = InstanceMetadata> {
  /** What happened. */
  readonly type: "added" | "updated" | "removed";
  /** The instance; of a removal, as it was. */
  readonly instance: Instance<Metadata>;
}

interface Vanished<Metadata> {
  readonly instance: Instance<Metadata>;
  readonly atMs: number;
}

/** The instances of one service, by key. Pure: it is told the time. */
export class ServiceView<Metadata> {
  readonly #protection: Protection;
  readonly #up = new Map<string, Instance<Metadata>>();
  readonly #draining = new Map<string, Instance<Metadata>>();
  /** Those that vanished of late and are not shown. */
  readonly #vanished = new Map<string, Vanished<Metadata>>();
  /** Those that vanished and are shown all the same, oldest first. */
  readonly #held = new Map<string, Vanished<Metadata>>();
  /** How many were up before the first of those vanished. */
  #before = 0;
  #sorted: readonly Instance<Metadata>[] | undefined;

  /** @param protection - when instances are held */
  constructor(protection: Protection) {
    this.#protection = protection;
  }

  /** Whether nothing is shown. */
  get isEmpty(): boolean {
    return this.#up.size + this.#draining.size + this.#held.size === 0;
  }

  /** Those that are shown though the store no longer has them. */
  get held(): readonly Instance<Metadata>[] {
    return [...this.#held.values()].map(({ instance }) => instance);
  }

  /** All that are shown, ordered by key; the same array until one changes. */
  get instances(): readonly Instance<Metadata>[] {
    this.#sorted ??= [...this.#entries()].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, each]) => each);
    return this.#sorted;
  }

  /** When somebody is held for too long; undefined if nobody is held. */
  get releaseAtMs(): number | undefined {
    const [oldest] = this.#held.values();
    return oldest === undefined ? undefined : oldest.atMs + this.#protection.holdMs;
  }

  /** The keys that the store has, as far as this view knows. */
  *keys(): Iterable<string> {
    yield* this.#up.keys();
    yield* this.#draining.keys();
  }

  /** Takes an instance that the store has. */
  put(key: string, instance: Instance<Metadata>): InstanceChange<Metadata>[] {
    const known = this.#up.get(key) ?? this.#draining.get(key) ?? this.#held.get(key)?.instance;
    this.#held.delete(key);
    this.#vanished.delete(key);
    if (instance.state === "draining") {
      // It says that it leaves: from now on nobody takes its absence for an accident.
      if (this.#up.delete(key)) this.#before -= 1;
      this.#draining.set(key, instance);
    } else {
      this.#draining.delete(key);
      this.#up.set(key, instance);
    }
    this.#sorted = undefined;
    return [...changeOf(known, instance), ...this.#releaseReplaced()];
  }

  /** Takes note that the store has an instance no longer. */
  delete(key: string, nowMs: number): InstanceChange<Metadata>[] {
    const leaver = this.#draining.get(key);
    if (leaver !== undefined) {
      this.#draining.delete(key);
      this.#sorted = undefined;
      return [{ type: "removed", instance: leaver }];
    }
    const instance = this.#up.get(key);
    return instance === undefined ? [] : this.#vanish(key, { instance, atMs: nowMs });
  }

  /** Lets those go that have been held for long enough. */
  release(nowMs: number): InstanceChange<Metadata>[] {
    const { holdMs } = this.#protection;
    return this.#drop([...this.#held].filter(([, { atMs }]) => atMs + holdMs <= nowMs).map(([key]) => key));
  }

  #vanish(key: string, vanished: Vanished<Metadata>): InstanceChange<Metadata>[] {
    const { windowMs, holdMs, share } = this.#protection;
    for (const [other, { atMs }] of this.#vanished) if (atMs + windowMs <= vanished.atMs) this.#vanished.delete(other);
    if (this.#vanished.size + this.#held.size === 0) this.#before = this.#up.size;
    this.#up.delete(key);
    this.#vanished.set(key, vanished);
    this.#sorted = undefined;
    const lost = this.#vanished.size + this.#held.size;
    const isSuspicious = this.#up.size === 0 || lost > this.#before * share;
    if (!isSuspicious || holdMs === 0) return [{ type: "removed", instance: vanished.instance }];
    const restored = [...this.#vanished].filter(([other]) => other !== key);
    for (const [other, each] of this.#vanished) this.#held.set(other, each);
    this.#vanished.clear();
    return restored.map(([, { instance }]) => ({ type: "added", instance }));
  }

  #releaseReplaced(): InstanceChange<Metadata>[] {
    const surplus = this.#up.size + this.#held.size - this.#before;
    return this.#held.size === 0 || surplus <= 0 ? [] : this.#drop([...this.#held.keys()].slice(0, surplus));
  }

  #drop(keys: readonly string[]): InstanceChange<Metadata>[] {
    return keys.flatMap((key) => {
      const dropped = this.#held.get(key);
      this.#held.delete(key);
      this.#sorted = undefined;
      return dropped === undefined ? [] : [{ type: "removed", instance: dropped.instance }];
    });
  }

  *#entries(): Iterable<readonly [string, Instance<Metadata>]> {
    yield* this.#up;
    yield* this.#draining;
    for (const [key, { instance }] of this.#held) yield [key, instance];
  }
}

function changeOf<Metadata>(
  known: Instance<Metadata> | undefined,
  instance: Instance<Metadata>,
): InstanceChange<Metadata>[] {
  if (known === undefined) return [{ type: "added", instance }];
  return isDeepStrictEqual(known, instance) ? [] : [{ type: "updated", instance }];
}
