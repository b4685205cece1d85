/** @module A live set and the one watch that feeds it. */
import {
  type ClientView,
  ConclaveError,
  type EventSource,
  IsolatedEmitter,
  isConclaveError,
  prefix,
  sleep,
  type WatchBatch,
  type Watcher,
} from "@conclave/client";
import { z } from "zod";
import { check, type Instance, parseInstance, publicInstance } from "../instance.ts";
import { type InstanceStore, readInstance } from "../layout.ts";
import type { Selection } from "../selection.ts";
import { KeptFile } from "./kept-file.ts";
import type { KeptSet } from "./last-known-good.ts";
import type { DiscoverOptions, InstanceFilter, LiveSet, LiveSetEvents, LiveSetState } from "./live-set.ts";
import { type InstanceChange, type Protection, ServiceView } from "./service-view.ts";

const protectionDefault: Protection = { share: 0.5, windowMs: 15_000, holdMs: 60_000 };
const coldStartMsDefault = 2_000;

const protectionSchema = z.strictObject({
  share: z.number().min(0).lt(1).optional(),
  windowMs: z.number().min(0).optional(),
  holdMs: z.number().min(0).optional(),
});
const discoverSchema = z.object({
  protection: z.union([z.literal(false), protectionSchema]).optional(),
  file: z.string().min(1).optional(),
  coldStartMs: z.number().min(0).optional(),
});

/** What a live set is made of. */
export interface LiveSetParts<Metadata> {
  /** Reads and watches. */
  readonly client: ClientView;
  /** Where the instances are. */
  readonly store: InstanceStore<Metadata>;
  /** Which services. */
  readonly selection: Selection;
}

/**
 * Opens a live set and waits until it is filled: by the store, or by the file if the store is out of reach.
 *
 * @throws ConclaveError `INVALID_ARGUMENT`; what the watch ended with; `TIMEOUT`
 */
export async function openLiveSet<Metadata>(
  parts: LiveSetParts<Metadata>,
  options: DiscoverOptions,
): Promise<LiveSet<Metadata>> {
  check(discoverSchema, options, "options of a discovery");
  const set = new WatchedSet(parts, options);
  try {
    await set.fill(options);
  } catch (error) {
    set.close();
    throw error;
  }
  return set;
}

class WatchedSet<Metadata> implements LiveSet<Metadata> {
  readonly #parts: LiveSetParts<Metadata>;
  readonly #protection: Protection;
  readonly #watcher: Watcher;
  readonly #file: KeptFile | undefined;
  readonly #events = new IsolatedEmitter<LiveSetEvents<Metadata>>((error) => process.emitWarning(error));
  readonly #services = new Map<string, ServiceView<Metadata>>();
  readonly #serviceByKey = new Map<string, string>();
  /** What was listed since the last change, by filter. */
  readonly #listings = new Map<string, readonly Instance<Metadata>[]>();
  #onFilled: () => void = () => {};
  readonly #filled: Promise<void>;
  readonly #followed: Promise<void>;
  #revision = 0;
  #version = 0;
  #state: LiveSetState = "stale";
  #held: readonly Instance<Metadata>[] = [];
  #ended = false;
  #release: { cancel(): void } | undefined;
  #waiters: (() => void)[] = [];

  constructor(parts: LiveSetParts<Metadata>, { protection, file, signal }: DiscoverOptions) {
    const { client, store, selection } = parts;
    this.#parts = parts;
    const given = protection === false ? { holdMs: 0 } : protection;
    this.#protection = { ...protectionDefault, ...given };
    this.#watcher = client.watch(prefix(`${store.prefix}${selection.keys}`), {
      from: "snapshot",
      onCompaction: "resync",
      signal,
    });
    this.#file =
      file === undefined
        ? undefined
        : new KeptFile(file, {
            source: () => this.#kept(),
            ports: client.ports,
            onError: (error) => this.#events.emit("fileError", error),
          });
    this.#filled = new Promise((resolve) => {
      this.#onFilled = resolve;
    });
    this.#watcher.on("connected", () => this.#turn("live"));
    this.#watcher.on("disconnected", () => this.#turn("stale"));
    this.#followed = this.#follow();
  }

  /** Waits for the first instances. */
  async fill({ signal, timeoutMs, coldStartMs = coldStartMsDefault }: DiscoverOptions): Promise<void> {
    const over = new AbortController();
    const ended = this.#watcher.ended.then((error) => {
      throw error ?? new ConclaveError("CLOSED", "The live set was closed before it was filled");
    });
    const waiting = this.#watcher.ready({ signal, timeoutMs }).then(() => Promise.race([this.#filled, ended]));
    ended.catch(() => {}); // Heard of by whoever waits; a set that is filled ends by its event.
    waiting.catch(() => {}); // Whoever awaits it below hears of it; the file may have come first.
    try {
      const kept = await this.#file?.load(this.#identity);
      if (kept !== undefined) {
        const patience = sleep(this.#parts.client.ports.scheduler, coldStartMs, over.signal);
        const isFed = await Promise.race([waiting.then(() => true, falseOnTimeout), patience.then(() => false)]);
        if (isFed || this.#begin(kept)) return;
      }
      await waiting;
    } finally {
      over.abort();
    }
  }

  get revision(): number {
    return this.#revision;
  }

  get state(): LiveSetState {
    return this.#state;
  }

  get held(): readonly Instance<Metadata>[] {
    return this.#held;
  }

  instances({ service, draining = false, critical = false }: InstanceFilter = {}): readonly Instance<Metadata>[] {
    const name = `${draining} ${critical} ${service ?? ""}`;
    const known = this.#listings.get(name);
    if (known !== undefined) return known;
    const listed = this.#list(service).filter(
      ({ state, health }) => (draining || state === "up") && (critical || health !== "critical"),
    );
    this.#listings.set(name, listed);
    return listed;
  }

  on: EventSource<LiveSetEvents<Metadata>>["on"] = (name, handler) => this.#events.on(name, handler);
  once: EventSource<LiveSetEvents<Metadata>>["once"] = (name, handler) => this.#events.once(name, handler);

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Instance<Metadata>[], void, undefined> {
    for (let seen = -1; ; ) {
      if (seen === this.#version) {
        if (this.#ended) return;
        await new Promise<void>((resolve) => this.#waiters.push(resolve));
        continue;
      }
      seen = this.#version;
      yield this.instances({ draining: true, critical: true });
    }
  }

  close(): void {
    this.#watcher.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#followed;
  }

  /** What the file must be of. */
  get #identity(): string {
    const { store, selection } = this.#parts;
    return `${store.layout} ${store.prefix}${selection.keys}`;
  }

  /** What the file is to hold. */
  #kept(): KeptSet {
    const { client, store } = this.#parts;
    const instances = this.#list(undefined).map((instance) => ({
      key: `${store.prefix}${instance.service}/${instance.id}`,
      instance,
    }));
    return { of: this.#identity, revision: this.#revision, savedAtMs: client.ports.clock.wallMs(), instances };
  }

  /** Begins with what the file has; false if that is nothing. */
  #begin({ revision, instances }: KeptSet): boolean {
    const { store, selection } = this.#parts;
    const read = instances.flatMap(({ key, instance }) => {
      try {
        const stored = parseInstance({ ...(instance as object), owner: "" });
        const { service } = stored;
        if (!selection.matches(service)) return [];
        return [{ key, instance: publicInstance({ ...stored, metadata: store.metadata(stored.metadata) }) }];
      } catch {
        this.#events.emit("invalid", key);
        return [];
      }
    });
    if (read.length === 0) return false;
    this.#revision = revision;
    this.#tell(read.flatMap(({ key, instance }) => this.#put(key, instance)));
    return true;
  }

  async #follow(): Promise<void> {
    try {
      for await (const batch of this.#watcher) {
        this.#apply(batch);
        this.#onFilled();
      }
    } catch {
      // The watcher's `ended` carries the error.
    }
    this.#ended = true;
    this.#release?.cancel();
    this.#turn("stale");
    this.#wake();
    await this.#file?.flush();
    this.#events.emit("end", await this.#watcher.ended);
  }

  /** Deletions first: what comes with them may be in their place. */
  #apply(batch: WatchBatch): void {
    this.#revision = batch.revision;
    const changes = this.#goneWith(batch).flatMap((key) => this.#delete(key));
    for (const { type, kv } of batch.events) {
      if (type === "delete") continue;
      const stored = readInstance(this.#parts.store, kv);
      if (stored !== undefined) {
        if (this.#parts.selection.matches(stored.service))
          for (const change of this.#put(kv.keyString, publicInstance(stored))) changes.push(change);
        continue;
      }
      this.#events.emit("invalid", kv.keyString);
      for (const change of this.#delete(kv.keyString)) changes.push(change);
    }
    this.#tell(changes);
  }

  /** The keys that are there no longer. What the file had and the store has not is only found by looking at all. */
  #goneWith(batch: WatchBatch): readonly string[] {
    if (batch.kind !== "resync")
      return batch.events.filter(({ type }) => type === "delete").map(({ kv }) => kv.keyString);
    const there = new Set(batch.snapshot.map(({ keyString }) => keyString));
    return [...this.#services.values()].flatMap((view) => [...view.keys()].filter((key) => !there.has(key)));
  }

  #put(key: string, instance: Instance<Metadata>): InstanceChange<Metadata>[] {
    const { service } = instance;
    const known = this.#services.get(service);
    const view = known ?? new ServiceView<Metadata>(this.#protection);
    if (known === undefined) this.#services.set(service, view);
    this.#serviceByKey.set(key, service);
    return view.put(key, instance);
  }

  #delete(key: string): InstanceChange<Metadata>[] {
    const service = this.#serviceByKey.get(key);
    const view = service === undefined ? undefined : this.#services.get(service);
    this.#serviceByKey.delete(key);
    return view?.delete(key, this.#parts.client.ports.clock.monotonicMs()) ?? [];
  }

  /** Tells what has changed, if anything has. */
  #tell(changes: readonly InstanceChange<Metadata>[]): void {
    if (changes.length > 0) {
      this.#version += 1;
      this.#listings.clear();
      for (const [service, view] of this.#services) if (view.isEmpty) this.#services.delete(service);
      this.#file?.touch();
      this.#wake();
      this.#events.emit("change", changes, this);
    }
    this.#tellHeld();
  }

  #tellHeld(): void {
    const views = [...this.#services.values()];
    const held = views.flatMap((view) => view.held);
    if (held.length === 0 && this.#held.length === 0) return;
    const isSame = held.length === this.#held.length && held.every((each, at) => each === this.#held[at]);
    this.#held = held;
    this.#armRelease(views);
    if (!isSame) this.#events.emit("held", held);
  }

  #armRelease(views: readonly ServiceView<Metadata>[]): void {
    const { clock, scheduler } = this.#parts.client.ports;
    this.#release?.cancel();
    const dueMs = Math.min(...views.map(({ releaseAtMs }) => releaseAtMs ?? Number.POSITIVE_INFINITY));
    if (dueMs === Number.POSITIVE_INFINITY || this.#ended) return;
    // A timer may fire early, and times are rounded: at least one step, or it would be set for now again and again.
    const delayMs = Math.max(1, dueMs - clock.monotonicMs());
    this.#release = scheduler.after(delayMs, () => this.#releaseDue(), { background: true });
  }

  #releaseDue(): void {
    const nowMs = this.#parts.client.ports.clock.monotonicMs();
    const changes = [...this.#services.values()].flatMap((view) => view.release(nowMs));
    this.#tell(changes);
  }

  #list(service: string | undefined): readonly Instance<Metadata>[] {
    if (service !== undefined) return this.#services.get(service)?.instances ?? [];
    return [...this.#services.entries()]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .flatMap(([, view]) => view.instances);
  }

  #turn(state: LiveSetState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#events.emit("state", state);
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

/** A time limit ends the wait for the store, not the start: there may still be what the file has. */
function falseOnTimeout(error: unknown): false {
  if (isConclaveError(error) && error.code === "TIMEOUT") return false;
  throw error;
}
