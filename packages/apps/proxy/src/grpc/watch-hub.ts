/**
 * @module Which watchers share one at a member.
 *
 * Watchers of the same caller, range and options share one if it has told nothing yet of what they want to hear: those
 * that begin now share the current one, those that begin at a revision any that has not gone so far. Whoever finds
 * none, or fell behind, has one of its own at first; once it has heard of a revision that the current one has not gone
 * beyond, it joins it. If there is none to join and it has caught up, it becomes the current one itself. A watcher
 * takes only what is above the last revision it has heard of, so that joining neither repeats nor leaves out an event:
 *
 * | current one has told up to | lone one has told up to | |
 * |---|---|---|
 * | 20 | 17 | stays alone: events between may be missing |
 * | 20 | 20 | joins |
 * | 20 | 22 | joins, and passes over what the current one tells of 21 and 22 |
 */
import { binaryString, compareBytes } from "@conclave/base";
import { KVDefinition, RangeRequest, type ResponseHeader, WatchCreateRequest } from "@conclave/protocol/etcdserverpb";
import type { Event } from "@conclave/protocol/mvccpb";
import type { Caller } from "./caller.ts";
import type { ProxyParts } from "./kv-proxy.ts";
import { SharedWatch, type WatchSubscriber } from "./shared-watch.ts";
import { upstreamMethod } from "./upstream.ts";

const rangeMethod = upstreamMethod(KVDefinition, KVDefinition.methods.range);

/** What a client wants to watch. */
export interface Interest {
  /** Who watches. */
  readonly caller: Caller;
  /** The range, as the member knows it, and the options. */
  readonly request: WatchCreateRequest;
}

/** How a watcher joined one that was there. */
export interface Joined {
  /** The one it joined. */
  readonly watch: SharedWatch;
  /** What its creation is answered with; undefined if that is not made yet, and its creation will be told. */
  readonly header: ResponseHeader | undefined;
}

/** How much is shared. */
export interface WatchHubStats {
  /** Watchers at the members. */
  readonly upstreamWatchers: number;
  /** Watchers of clients beyond those. */
  readonly coalesced: number;
  /** Events that were told to a client without having been sent by a member for it. */
  readonly coalescedEvents: number;
}

/** The watchers at the members that have a name in common. */
interface Group {
  readonly all: Set<SharedWatch>;
  /** The one that tells what happens now. */
  current: SharedWatch | undefined;
}

/** The watchers at the members. */
export class WatchHub {
  readonly #parts: ProxyParts;
  readonly #groups = new Map<string, Group>();
  readonly #groupOf = new WeakMap<SharedWatch, Group>();
  #coalescedEvents = 0;

  constructor(parts: ProxyParts) {
    this.#parts = parts;
  }

  /** How much is shared. */
  get stats(): WatchHubStats {
    const all = [...this.#groups.values()].flatMap((group) => [...group.all]);
    const watchers = all.reduce((sum, { subscribers }) => sum + subscribers.size, 0);
    return {
      upstreamWatchers: all.length,
      coalesced: watchers - all.length,
      coalescedEvents: this.#coalescedEvents,
    };
  }

  /** Subscribes to a watcher that is there, if one serves, or to a new one, which others may join. */
  async subscribe(interest: Interest, subscriber: WatchSubscriber, signal: AbortSignal): Promise<Joined> {
    const isThere = this.#serving(interest)?.isCreated === true;
    const header = isThere ? await this.#present(interest, signal) : undefined;
    if (isThere && header === undefined) return { watch: this.subscribeAlone(interest, subscriber), header };
    const watch = this.#serving(interest);
    if (watch === undefined) return { watch: this.#open(interest, subscriber), header: undefined };
    watch.subscribe(subscriber);
    if (header === undefined || !watch.isCreated) return { watch, header: undefined };
    return { watch, header: { ...header, revision: Math.max(header.revision, watch.seenRevision) } };
  }

  /** Subscribes to a watcher of one's own, which joins a shared one later. */
  subscribeAlone(interest: Interest, subscriber: WatchSubscriber): SharedWatch {
    return this.#open(interest, subscriber);
  }

  /** Whether a watcher tells others what happens now. */
  isCurrent(watch: SharedWatch): boolean {
    return this.#groupOf.get(watch)?.current === watch;
  }

  #serving(interest: Interest): SharedWatch | undefined {
    const { startRevision } = interest.request;
    const group = this.#groups.get(nameOf(interest));
    if (startRevision === 0n) return group?.current;
    return [...(group?.all ?? [])].find((watch) => watch.servesFrom(startRevision));
  }

  #open(interest: Interest, subscriber: WatchSubscriber): SharedWatch {
    const { upstream, namespace } = this.#parts;
    const name = nameOf(interest);
    const group = this.#groups.get(name) ?? { all: new Set(), current: undefined };
    this.#groups.set(name, group);
    const watch = new SharedWatch({
      upstream,
      namespace,
      ...interest,
      onRevision: (of, isCurrent) => settle(group, of, isCurrent),
      onEvents: (events) => this.#heard(watch, events),
      onOver: (of) => this.#forget(name, of),
    });
    group.all.add(watch);
    this.#groupOf.set(watch, group);
    if (interest.request.startRevision === 0n) group.current ??= watch;
    watch.subscribe(subscriber);
    watch.start();
    return watch;
  }

  #heard({ subscribers }: SharedWatch, events: readonly Event[]): void {
    this.#coalescedEvents += events.length * (subscribers.size - 1);
    const pairs = events.flatMap(({ kv }) => kv ?? []);
    this.#parts.cache.changed(pairs.map(({ key }) => key).sort(compareBytes), pairs.at(-1)?.modRevision ?? 0);
  }

  #forget(name: string, watch: SharedWatch): void {
    const group = this.#groups.get(name);
    if (group === undefined) return;
    group.all.delete(watch);
    if (group.current === watch) group.current = undefined;
    if (group.all.size === 0) this.#groups.delete(name);
  }

  /**
   * The member's present header, and its word that the caller may still read all that it wants to watch; undefined if
   * the member gives neither.
   */
  async #present({ caller, request }: Interest, signal: AbortSignal): Promise<ResponseHeader | undefined> {
    const { key, rangeEnd } = request;
    const question = RangeRequest.fromPartial({ key, rangeEnd, limit: 1n, keysOnly: true, serializable: true });
    try {
      return (await this.#parts.upstream.unary(rangeMethod, question, { caller, signal })).header;
    } catch {
      // Whatever the reason is: a watcher of its own lets the member itself say it.
      return undefined;
    }
  }
}

/** Moves the subscribers of a watcher to the current one, or makes it that, if it has come so far. */
function settle(group: Group, watch: SharedWatch, isUpToDate: boolean): void {
  const { current } = group;
  if (current === watch) return;
  if (current === undefined) {
    if (isUpToDate) group.current = watch;
    return;
  }
  if (!current.isCreated || watch.seenRevision < current.seenRevision) return;
  for (const subscriber of [...watch.subscribers]) {
    current.subscribe(subscriber);
    subscriber.onMoved(current);
    watch.unsubscribe(subscriber);
  }
}

/** What watchers must have in common to share one. */
function nameOf({ caller, request }: Interest): string {
  const filters = [...new Set(request.filters)].sort();
  const options = WatchCreateRequest.encode({ ...request, filters, startRevision: 0n, watchId: 0n }).finish();
  return `${caller.identity}${binaryString(options)}`;
}
