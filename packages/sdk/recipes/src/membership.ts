/** @module Who belongs to a group: one key per member, `<name>/<id>`, on a lease that is renewed and healed. */
import { equalBytes } from "@conclave/base";
import {
  type CallOptions,
  type ClientView,
  type Codec,
  ConclaveError,
  compare,
  fullJitterMs,
  isConclaveError,
  jsonCodec,
  type KeyValue,
  op,
  prefix,
  type Session,
  type SharedSession,
  sleep,
} from "@conclave/client";
import { z } from "zod";
import { check, nameSchema, ttlSchema } from "./check.ts";

/** How a membership is made. */
export interface MembershipOptions<T> {
  /** How long a member may be silent before it counts as gone, in seconds. Default: 15. */
  readonly ttlSec?: number | undefined;
  /** How what members say of themselves becomes bytes; default: JSON, unchecked. */
  readonly codec?: Codec<T> | undefined;
}

/** A member, as others see it. */
export interface GroupMember<T> {
  /** Its id. */
  readonly id: string;
  /** What it says of itself. */
  readonly value: T;
  /** The revision at which it joined: members that are there for longer have smaller ones. */
  readonly joinedRevision: number;
}

/** A change of a group, and the group after it. */
export interface MembershipChange<T> {
  /** Who joined, oldest first. */
  readonly joined: readonly GroupMember<T>[];
  /** Who says something else of itself. */
  readonly updated: readonly GroupMember<T>[];
  /** Who left, or is held for dead, as it was last. */
  readonly left: readonly GroupMember<T>[];
  /** Everybody who is there now, by id. */
  readonly members: ReadonlyMap<string, GroupMember<T>>;
}

/** This process as a member. `await using` leaves at the end of the scope. */
export interface Participation<T> extends AsyncDisposable {
  /** Its id. */
  readonly id: string;
  /** Aborts when it is over: this process left, or somebody else took the id after its lease was lost. */
  readonly signal: AbortSignal;
  /** Says something else of itself. */
  update(value: T, options?: CallOptions): Promise<void>;
  /** Leaves: the others see it at once. */
  leave(options?: CallOptions): Promise<void>;
}

/** A group of members that come and go. */
export interface Membership<T> {
  /**
   * Joins, until it leaves or its process dies; after a loss of its lease it joins again by itself.
   *
   * @throws ConclaveError `ALREADY_EXISTS` if somebody else has this id
   */
  join(id: string, value: T, options?: CallOptions): Promise<Participation<T>>;
  /** Everybody who is there, oldest first. */
  members(options?: CallOptions): Promise<readonly GroupMember<T>[]>;
  /**
   * First everybody who is there, as joined; then every change, one revision at a time, without a gap: what happened during an
   * outage is told as one change. Ends when the signal aborts.
   */
  watch(options?: { readonly signal?: AbortSignal }): AsyncGenerator<MembershipChange<T>, void, undefined>;
}

const optionsSchema = z.strictObject({ ttlSec: ttlSchema.optional(), codec: z.looseObject({}).optional() });
const idSchema = z.string().regex(/^[^/]+$/, "must be one or more characters other than /");
const healBackoff = { firstMs: 100, maxMs: 5_000 };

/** Makes a membership. @throws ConclaveError `INVALID_ARGUMENT` */
export function createMembership<T>(
  client: ClientView,
  name: string,
  options: MembershipOptions<T> = {},
): Membership<T> {
  check(nameSchema, name, "name of a group");
  check(optionsSchema, options, "options of a group");
  const codec = options.codec ?? jsonCodec<T>();
  const start = `${name}/`;
  const toMember = (kv: KeyValue): GroupMember<T> => ({
    ...{ id: kv.keyString.slice(start.length), value: codec.decode(kv.value) },
    joinedRevision: kv.createRevision,
  });
  return {
    async join(id, value, call = {}) {
      check(idSchema, id, "id of a member");
      const session = client.sharedSession({ ttlSec: options.ttlSec });
      const participation = new LeasedParticipation(client, { id, key: `${start}${id}`, session, codec }, value);
      await participation.enter(call);
      return participation;
    },
    async members(call = {}) {
      const { kvs } = await client.range(prefix(start), { ...call, sortBy: "createRevision" });
      return kvs.map(toMember);
    },
    watch: ({ signal } = {}) => watchMembers(client, start, toMember, signal),
  };
}

async function* watchMembers<T>(
  client: ClientView,
  start: string,
  toMember: (kv: KeyValue) => GroupMember<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<MembershipChange<T>, void, undefined> {
  const known = new Map<string, GroupMember<T>>();
  let isUnderWay = false;
  try {
    await using watcher = client.watch(prefix(start), { from: "snapshot", signal });
    for await (const { kind, events } of watcher) {
      // A listing that shows nothing new is no change; the first one is.
      if (kind === "resync" && events.length === 0 && isUnderWay) continue;
      isUnderWay = true;
      const [joined, updated, left]: GroupMember<T>[][] = [[], [], []];
      for (const { type, kv } of events) {
        const id = kv.keyString.slice(start.length);
        const before = known.get(id);
        if (type === "delete") {
          known.delete(id);
          if (before !== undefined) left?.push(before);
          continue;
        }
        const member = toMember(kv);
        known.set(id, member);
        (before === undefined ? joined : updated)?.push(member);
      }
      yield { joined: byAge(joined), updated: updated ?? [], left: left ?? [], members: new Map(known) };
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}

function byAge<T>(members: readonly GroupMember<T>[] = []): readonly GroupMember<T>[] {
  return [...members].sort((one, other) => one.joinedRevision - other.joinedRevision);
}

interface ParticipationParts<T> {
  readonly id: string;
  readonly key: string;
  readonly session: SharedSession;
  readonly codec: Codec<T>;
}

/** A member's key, written again under every new lease. */
class LeasedParticipation<T> implements Participation<T> {
  readonly id: string;
  readonly #client: ClientView;
  readonly #parts: ParticipationParts<T>;
  readonly #over = new AbortController();
  #value: T;
  /** The lease that the key hangs on as far as this member knows; the key of a lease that is lost is there for a while. */
  #lease = 0n;
  #unlisten: () => void = () => {};
  #turn: Promise<unknown> = Promise.resolve();

  constructor(client: ClientView, parts: ParticipationParts<T>, value: T) {
    this.id = parts.id;
    this.#client = client;
    this.#parts = parts;
    this.#value = value;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  async enter(options: CallOptions): Promise<void> {
    const { session } = this.#parts;
    try {
      const current = await session.ready(options);
      await this.#put(current, options);
      this.#unlisten = session.on("session", (next) => this.#heal(next));
    } catch (error) {
      await session.close(options).catch(() => {});
      throw error;
    }
  }

  update(value: T, options: CallOptions = {}): Promise<void> {
    return this.#inTurn(async () => {
      this.#assertIn();
      this.#value = value;
      await this.#put(await this.#parts.session.ready(options), options);
    });
  }

  leave(options: CallOptions = {}): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#over.signal.aborted) return;
      this.#end(new ConclaveError("CLOSED", `The member "${this.id}" left`));
      const { key, session } = this.#parts;
      const mine = compare.lease(key).equal(this.#lease);
      try {
        await this.#client
          .txn()
          .if(mine)
          .then(op.delete(key))
          .commit({ ...options, idempotent: true });
      } finally {
        await session.close(options);
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  #inTurn<R>(task: () => Promise<R>): Promise<R> {
    const done = this.#turn.then(task);
    this.#turn = done.catch(() => {});
    return done;
  }

  #assertIn(): void {
    if (this.#over.signal.aborted) throw this.#over.signal.reason;
  }

  #end(reason: ConclaveError): void {
    this.#unlisten();
    this.#over.abort(reason);
  }

  async #heal(session: Session): Promise<void> {
    const { random, scheduler } = this.#client.ports;
    for (let failures = 1; session.held && !this.#over.signal.aborted; failures++) {
      try {
        return await this.#inTurn(async () => {
          if (!this.#over.signal.aborted) await this.#put(session, { signal: session.signal });
        });
      } catch (error) {
        if (isConclaveError(error, "ALREADY_EXISTS")) return this.#end(error);
        await sleep(scheduler, fullJitterMs(random, healBackoff, failures), session.signal);
      }
    }
  }

  /** Writes the key if nobody else has it. */
  async #put({ lease }: Session, options: CallOptions): Promise<void> {
    const { key, codec } = this.#parts;
    const value = codec.encode(this.#value);
    const put = op.put(key, value, { lease });
    for (;;) {
      const result = await this.#client
        .txn()
        .if(compare.createRevision(key).equal(0))
        .then(put)
        .else(op.get(key))
        .commit({ ...options, idempotent: true });
      const found = result.succeeded ? undefined : result.responses[0];
      // It is there already, as after a lost answer.
      if (found?.lease === lease && equalBytes(found.value, value)) break;
      if (result.succeeded || (found !== undefined && (await this.#replace(found, put, lease, options)))) break;
    }
    this.#lease = lease;
  }

  /** Writes the key over what this member wrote before. @returns whether it was still there */
  async #replace(
    found: KeyValue,
    put: ReturnType<typeof op.put>,
    lease: bigint,
    options: CallOptions,
  ): Promise<boolean> {
    const { key } = this.#parts;
    if (found.lease !== lease && found.lease !== this.#lease)
      throw new ConclaveError("ALREADY_EXISTS", `There is another member "${this.id}"`);
    const result = await this.#client
      .txn()
      .if(compare.lease(key).equal(found.lease), compare.createRevision(key).greater(0))
      .then(put)
      .commit({ ...options, idempotent: true });
    return result.succeeded;
  }
}
