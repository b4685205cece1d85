/**
 * @module A history of writes to one member that is crashed again and again, and what must hold after each crash: every
 * acknowledged write, lease and compaction is there, and nothing is there that was never asked for.
 */
import { binaryString, type Random, utf8, utf8Text } from "@conclave/base";
import {
  CompactionRequest,
  DeleteRangeRequest,
  LeaseGrantRequest,
  PutRequest,
  RangeRequest,
} from "@conclave/protocol/etcdserverpb";
import type { Member } from "@conclave/server";
import type { SimulatedMember, Tear } from "@conclave/testkit";

/** A loss that was found, in words. */
export class LostWrite extends Error {
  override readonly name = "LostWrite";
}

/** What a client knows of its key: values it may hold. One that was acknowledged, or that and one in doubt. */
interface KeyState {
  certain: string | undefined;
  /** The write whose answer never came; `undefined` value stands for a deletion. */
  doubtful: { readonly value: string | undefined } | undefined;
}

/** What may become of writes that were not synced: dropped, kept, kept up to some point, or torn sector by sector. */
const tears: readonly Tear[] = ["drop", "keep", "cut", "tear"];
const clientCount = 6;
const absent = "(absent)";

/** Clients, each with keys of its own, and what they were told. */
export class CrashHistory {
  readonly #simulated: SimulatedMember;
  readonly #random: Random;
  readonly #keys = new Map<string, KeyState>();
  readonly #leases = new Set<bigint>();
  #acknowledgedRevision = 1;
  #compactedRevision = -1;
  #counter = 0;
  acknowledged = 0;

  constructor(simulated: SimulatedMember) {
    this.#simulated = simulated;
    this.#random = simulated.time.random;
  }

  /** Lets the clients write for a while, then cuts the power in the middle of it. */
  async runUntilCrash(durationMs: number): Promise<void> {
    const { time } = this.#simulated;
    const member = this.#simulated.member;
    let running = true;
    const clients = Array.from({ length: clientCount }, async (_, client) => {
      while (running) {
        await this.#step(member, client).catch(() => {
          running = false; // The answer never came: the write stays in doubt.
        });
        await new Promise<void>((resolve) => time.after(this.#random.below(8), resolve));
      }
    });
    await time.advance(durationMs);
    running = false;
    await this.#simulated.crash(this.#pick(tears));
    await time.complete(Promise.all(clients));
  }

  /** @throws LostWrite for the first thing that is not as the clients were told */
  async check(): Promise<void> {
    const { store, lessor } = this.#simulated.member;
    for (const [key, state] of this.#keys) this.#checkKey(store, key, state);
    for (const lease of this.#leases) if (!lessor.exists(lease)) throw new LostWrite(`lease ${lease} is gone`);
    if (store.currentRevision < this.#acknowledgedRevision) {
      throw new LostWrite(`revision ${store.currentRevision} after ${this.#acknowledgedRevision} was acknowledged`);
    }
    if (store.compactRevision < this.#compactedRevision)
      throw new LostWrite(`compaction at ${this.#compactedRevision} is gone`);
  }

  #checkKey(store: Member["store"], key: string, state: KeyState): void {
    const [kv] = store.range(RangeRequest.fromPartial({ key: utf8(key) })).kvs;
    const found = kv === undefined ? undefined : utf8Text(kv.value);
    const allowed = [state.certain, ...(state.doubtful === undefined ? [] : [state.doubtful.value])];
    if (!allowed.includes(found)) {
      throw new LostWrite(
        `${key} is ${found ?? absent}, and should be ${allowed.map((value) => value ?? absent).join(" or ")}`,
      );
    }
    state.certain = found;
    state.doubtful = undefined;
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)] as T;
  }

  async #step(member: Member, client: number): Promise<void> {
    const die = this.#random.below(100);
    if (die < 70) await this.#write(member, client, `${this.#counter++}`);
    else if (die < 85) await this.#write(member, client, undefined);
    else if (die < 97) await this.#grant(member);
    else await this.#compact(member);
  }

  async #write(member: Member, client: number, value: string | undefined): Promise<void> {
    const key = `client-${client}/${this.#random.below(4)}`;
    const state = this.#keys.get(key) ?? { certain: undefined, doubtful: undefined };
    this.#keys.set(key, state);
    state.doubtful = { value };
    const { header } =
      value === undefined
        ? await member.propose("deleteRange", DeleteRangeRequest.fromPartial({ key: utf8(key) }))
        : await member.propose("put", PutRequest.fromPartial({ key: utf8(key), value: utf8(value) }));
    state.certain = value;
    state.doubtful = undefined;
    this.acknowledged += 1;
    this.#acknowledgedRevision = Math.max(this.#acknowledgedRevision, header?.revision ?? 0);
  }

  async #grant(member: Member): Promise<void> {
    const { ID } = await member.propose(
      "leaseGrant",
      LeaseGrantRequest.fromPartial({ ID: member.newRequestId() >> 1n, TTL: 100_000n }),
    );
    this.#leases.add(ID);
  }

  async #compact(member: Member): Promise<void> {
    const revision = member.store.currentRevision;
    if (revision <= Math.max(1, member.store.compactRevision)) return;
    try {
      await member.propose("compaction", CompactionRequest.fromPartial({ revision: BigInt(revision) }));
      this.#compactedRevision = Math.max(this.#compactedRevision, revision);
    } catch (error) {
      // Another client may have compacted as far meanwhile.
      if (!(error instanceof Error && error.message.includes("compacted"))) throw error;
    }
  }
}

/** The HashKV of a member now. */
export function hashKv(member: Member, revision = 0): number {
  const slices = member.store.hashKv(revision);
  for (;;) {
    const step = slices.next();
    if (step.done === true) return step.value.hash;
  }
}

/** The live keys of a member with their revisions, in a form that can be compared. */
export function liveKeys(member: Member): readonly string[] {
  const all = RangeRequest.fromPartial({ key: new Uint8Array(1), rangeEnd: new Uint8Array(1) });
  return member.store.range(all).kvs.map((kv) => `${binaryString(kv.key)}@${kv.modRevision}v${kv.version}`);
}
