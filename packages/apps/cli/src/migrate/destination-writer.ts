/** @module Writes at the destination in the source's order, many transactions at a time. */
import { type Client, isConclaveError } from "@conclave/client";
import { RequestOp } from "@conclave/protocol/etcdserverpb";
import { type Event, Event_EventType, type KeyValue } from "@conclave/protocol/mvccpb";
import { mirrorBatches } from "../commands/mirror-writes.ts";
import { CommandError, exitCodes } from "../exit.ts";
import type { LeaseMirror } from "./lease-mirror.ts";
import { isAt, type Mark, moveTo, readMark } from "./mark.ts";

/** A write at the destination, with the revision of the source that it stands for. */
export interface DestinationWrite {
  /** That revision. */
  readonly revision: number;
  /** What is put or deleted. */
  readonly op: RequestOp;
}

/** Bounds of one transaction: those of a server as it is set up by default, with room for the mark and what is around the data. */
const batchLimits = { operations: 127, bytes: 1_000_000 };
/** Transactions that are on their way at a time. */
const windowSizes = { first: 4, max: 32 } as const;
/** Transactions that are made one after the other once some have overtaken each other: more each time. */
const pauseSteps = { first: 64, growth: 4, max: 16_384 } as const;

/** A put of a key as the source has it. */
export function putOf({ key, value, lease }: KeyValue): RequestOp {
  return RequestOp.fromPartial({ request: { $case: "requestPut", value: { key, value, lease } } });
}

/** A deletion of a key. */
export function deletionOf(key: Uint8Array): RequestOp {
  return RequestOp.fromPartial({ request: { $case: "requestDeleteRange", value: { key } } });
}

/** What an event did at the source. */
export function writeOf({ type, kv }: Event): DestinationWrite[] {
  if (kv === undefined) return [];
  return [{ revision: kv.modRevision, op: type === Event_EventType.PUT ? putOf(kv) : deletionOf(kv.key) }];
}

/** A transaction, and the mark that it leaves: the next one demands to find it. */
interface Link {
  readonly ops: readonly RequestOp[];
  readonly mark: Mark;
}

/** Writes at the destination, one transaction for each revision of the source, each of which moves the mark. */
export class DestinationWriter {
  readonly #client: Client;
  readonly #leases: LeaseMirror;
  #mark: Mark;
  /**
   * How many transactions may be on their way. Conclave takes up what comes over a connection in its order; etcd lets
   * one overtake another, which is then sent again: there, one at a time is faster, and more are tried ever less often.
   */
  #window: number = windowSizes.first;
  #pause: number = pauseSteps.first;
  /** Transactions to be made before more at a time are tried. */
  #untilMore = 0;
  #writes = 0;

  /** @param mark - the one at the destination */
  constructor(client: Client, leases: LeaseMirror, mark: Mark) {
    this.#client = client;
    this.#leases = leases;
    this.#mark = mark;
  }

  /** The revision of the source up to which everything is written. */
  get revision(): number {
    return this.#mark.revision;
  }

  /** How many keys were written or deleted so far. */
  get writes(): number {
    return this.#writes;
  }

  /**
   * Makes writes, in order.
   *
   * @param revision - the one of the source up to which everything is written then
   * @throws CommandError if somebody else has moved the mark
   */
  async write(writes: readonly DestinationWrite[], revision: number): Promise<void> {
    const links = this.#linksOf(writes, revision);
    let isRestored = false;
    while (links.length > 0) {
      const { made, failure } = await this.#send(links.slice(0, this.#window));
      for (const { ops, mark } of links.splice(0, made)) {
        this.#mark = mark;
        this.#writes += ops.length;
      }
      if (made > 0) isRestored = false;
      if (failure === undefined) continue;
      if (isRestored || !isConclaveError(failure, "LEASE_NOT_FOUND")) throw failure;
      for (const lease of leasesOf(links[0])) await this.#leases.restore(lease);
      isRestored = true;
    }
  }

  /** The transactions for some writes; the last one leaves the mark at the revision. */
  #linksOf(writes: readonly DestinationWrite[], revision: number): Link[] {
    const batches = writes.length > 0 ? [...mirrorBatches(writes, batchLimits)] : [[]];
    let at = 0;
    return batches.map((ops, index) => {
      at += ops.length;
      // All of a revision is there as soon as what comes next is of a later one.
      const next = writes[at];
      const done = Math.max(this.#mark.revision, next === undefined ? revision : next.revision - 1);
      return { ops, mark: { ...this.#mark, revision: done, step: this.#mark.step + index + 1 } };
    });
  }

  /** Sends transactions, all at once. */
  async #send(window: readonly Link[]): Promise<Sent> {
    for (const lease of new Set(window.flatMap(leasesOf))) await this.#leases.ensure(lease);
    const outcomes = await Promise.allSettled(window.map((link, at) => this.#make(link, window[at - 1])));
    const bad = outcomes.find((outcome) => outcome.status === "rejected" || !outcome.value);
    if (bad === undefined) {
      this.#onAllMade(window.length);
      return { made: window.length };
    }
    const made = await this.#countMade();
    if (bad.status === "rejected") return { made, failure: bad.reason };
    this.#onOvertaken();
    return { made };
  }

  #onAllMade(count: number): void {
    this.#untilMore -= count;
    if (this.#untilMore <= 0) this.#window = Math.min(windowSizes.max, this.#window * 2);
  }

  #onOvertaken(): void {
    this.#window = 1;
    this.#untilMore = this.#pause;
    this.#pause = Math.min(pauseSteps.max, this.#pause * pauseSteps.growth);
  }

  /** Makes a transaction; says whether it found the mark of the one before. */
  async #make({ ops, mark }: Link, before: Link | undefined): Promise<boolean> {
    const txn = { compare: [isAt(before?.mark ?? this.#mark)], success: [...ops, moveTo(mark)] };
    return (await this.#client.raw.kv.txn(txn, { idempotent: true })).succeeded;
  }

  /** How many transactions were made since the mark was last known. */
  async #countMade(): Promise<number> {
    const there = await readMark(this.#client);
    if (there?.run === this.#mark.run) return there.step - this.#mark.step;
    throw new CommandError(exitCodes.failure, "another run has gone on with this migration");
  }
}

/** What became of transactions that were sent. */
interface Sent {
  /** How many of them were made: the first ones. */
  readonly made: number;
  /** Why the next one cannot be made, if it is not that it came too early. */
  readonly failure?: unknown;
}

/** The leases that a transaction puts keys under. */
function leasesOf(link: Link | undefined): bigint[] {
  const leases = (link?.ops ?? []).map(({ request }) => (request?.$case === "requestPut" ? request.value.lease : 0n));
  return [...new Set(leases)];
}
