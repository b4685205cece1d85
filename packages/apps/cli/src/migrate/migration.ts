/**
 * @module Brings everything that one cluster holds to another one, while the first is being written to. In rounds, it
 * compares both and writes what differs, in the source's order; then it follows the source's watch. A round can take the
 * place of anything that failed: it starts from what is there.
 *
 * The destination has everything up to the revision of its mark, in order; nobody else may write to it.
 */
import { allKeys, type Client, isConclaveError } from "@conclave/client";
import { RequestOp } from "@conclave/protocol/etcdserverpb";
import type { Event } from "@conclave/protocol/mvccpb";
import { CommandError, exitCodes } from "../exit.ts";
import type { WatchResponses } from "../watch-responses.ts";
import { compareKeys } from "./comparison.ts";
import { inOrder, type Step, stepsFor } from "./copy-plan.ts";
import { type DestinationWrite, DestinationWriter, deletionOf, putOf, writeOf } from "./destination-writer.ts";
import { joinKeys, type KeyPair } from "./join-keys.ts";
import { LeaseMirror } from "./lease-mirror.ts";
import { isMarkKey, type Mark } from "./mark.ts";
import { missingUsers } from "./missing-users.ts";
import { readKeys, revisionOf } from "./read-keys.ts";
import type { MigrationReport } from "./report.ts";

/** What a migration works with. */
export interface MigrationPorts {
  /** The cluster to copy. */
  readonly source: Client;
  /** Watches of it. */
  readonly watch: WatchResponses;
  /** The cluster to copy to. */
  readonly destination: Client;
  /** Shows how far it is, in a line. */
  readonly tell: (line: string) => void;
}

/** Keys that are written between two looks at whether to go on; so many are read in one request. */
const windowSteps = 128;
/** Rounds that may be given up because the source compacted what they were copying: each gets further than the one before. */
const roundsMax = 10;
/** How often a long copy says how far it is. */
const tellMs = 5_000;

/** One migration. */
export class Migration {
  readonly #ports: MigrationPorts;
  readonly #leases: LeaseMirror;
  readonly #writer: DestinationWriter;
  readonly #mark: Mark;
  #toldMs: number;

  /** @param mark - the one at the destination */
  constructor(ports: MigrationPorts, mark: Mark) {
    this.#ports = ports;
    this.#mark = mark;
    const onTrouble = ports.tell;
    this.#leases = new LeaseMirror({ source: ports.source, destination: ports.destination, onTrouble });
    this.#writer = new DestinationWriter(ports.destination, this.#leases, mark);
    this.#toldMs = this.#nowMs();
  }

  /** Keeps the leases at the destination until the signal aborts. */
  async keepLeases(signal: AbortSignal): Promise<void> {
    await this.#leases.keep(signal);
  }

  /**
   * Makes the destination the same as the source is now; returns the revision of the source that it was at.
   *
   * @throws ConclaveError `COMPACTED` if the source compacts faster than it can be read
   */
  async copy(signal: AbortSignal): Promise<number> {
    return await this.#inRounds(() => this.#copyOnce(signal));
  }

  /** Makes the destination the same as the source is now and compares both. @throws as {@link Migration.copy} */
  async copyAndCompare(signal: AbortSignal): Promise<MigrationReport> {
    return await this.#inRounds(async () => this.#compare(await this.#copyOnce(signal), signal));
  }

  /**
   * Writes at the destination what happens at the source.
   *
   * @param revision - the last one that was copied
   * @returns whether it was stopped; if not, the source has compacted what comes next
   * @throws CommandError if the source ends the watch
   */
  async follow(revision: number, stop: AbortSignal): Promise<boolean> {
    const request = { ...allKeys(), startRevision: BigInt(revision) + 1n };
    try {
      for await (const { events, canceled, compactRevision, cancelReason } of this.#ports.watch(request, {
        signal: stop,
      })) {
        if (compactRevision > 0) return false;
        if (canceled) throw new CommandError(exitCodes.failure, `the source has ended the watch: ${cancelReason}`);
        await this.#writeEvents(events);
      }
    } catch (error) {
      if (!stop.aborted) throw error;
    }
    return true;
  }

  /** Does something that the source may compact away, and does it again then. */
  async #inRounds<Result>(round: () => Promise<Result>): Promise<Result> {
    for (let rounds = 1; ; rounds++) {
      try {
        return await round();
      } catch (error) {
        if (!isConclaveError(error, "COMPACTED") || rounds === roundsMax) throw error;
        this.#ports.tell("the source has compacted what was being read: goes on with what it holds now");
      }
    }
  }

  async #copyOnce(signal: AbortSignal): Promise<number> {
    const { source, destination } = this.#ports;
    const sourceRevision = await revisionOf(source);
    const destinationRevision = await revisionOf(destination);
    await this.#leases.sync();
    const steps: Step[] = [];
    for await (const pair of this.#pairs({ sourceRevision, destinationRevision }, signal))
      steps.push(...stepsFor(pair, this.#writer.revision));
    if (steps.length > 0) this.#ports.tell(`copies ${steps.length} writes as of revision ${sourceRevision}`);
    await this.#take(inOrder(steps), sourceRevision, signal);
    await this.#writer.write([], sourceRevision);
    return sourceRevision;
  }

  async #take(steps: readonly Step[], sourceRevision: number, signal: AbortSignal): Promise<void> {
    for (let at = 0; at < steps.length; at += windowSteps) {
      signal.throwIfAborted();
      const window = steps.slice(at, at + windowSteps);
      const next = steps[at + windowSteps];
      const done = next === undefined ? sourceRevision : next.revision - 1;
      await this.#writer.write(await this.#writesOf(window, sourceRevision), done);
      this.#tellNowAndThen(() => `copied ${at + window.length} of ${steps.length} writes`);
    }
  }

  /** The writes of some steps, with the values as of a revision. */
  async #writesOf(steps: readonly Step[], sourceRevision: number): Promise<readonly DestinationWrite[]> {
    const revision = BigInt(sourceRevision);
    const success = steps.map(({ key }) =>
      RequestOp.fromPartial({ request: { $case: "requestRange", value: { key, revision } } }),
    );
    const { responses } = await this.#ports.source.raw.kv.txn({ success }, { idempotent: true });
    return steps.map(({ kind, key, revision: of }, at) => {
      const response = responses[at]?.response;
      const [pair] = response?.$case === "responseRange" ? response.value.kvs : [];
      return { revision: of, op: kind === "put" && pair !== undefined ? putOf(pair) : deletionOf(key) };
    });
  }

  async #writeEvents(events: readonly Event[]): Promise<void> {
    const revision = events.at(-1)?.kv?.modRevision;
    if (revision === undefined) return;
    await this.#writer.write(events.flatMap(writeOf), revision);
    this.#tellNowAndThen(() => `follows the source: at its revision ${revision}, ${this.#writer.writes} writes so far`);
  }

  /** Compares both clusters as of a revision of the source, up to which everything has been copied. */
  async #compare(sourceRevision: number, signal: AbortSignal): Promise<MigrationReport> {
    const leases = await this.#leases.sync();
    const destinationRevision = await revisionOf(this.#ports.destination);
    const comparison = await compareKeys(this.#pairs({ sourceRevision, destinationRevision }, signal));
    return {
      ...{ sourceCluster: this.#mark.source, sourceRevision, destinationRevision },
      ...comparison,
      missingLeases: await this.#missing(leases),
      ...{ leases: leases.length, ...(await missingUsers(this.#ports)) },
    };
  }

  /** The keys of both clusters side by side, without the mark. */
  async *#pairs(
    { sourceRevision, destinationRevision }: { sourceRevision: number; destinationRevision: number },
    signal: AbortSignal,
  ): AsyncGenerator<KeyPair> {
    const source = readKeys(this.#ports.source, sourceRevision, signal);
    const destination = readKeys(this.#ports.destination, destinationRevision, signal);
    for await (const pair of joinKeys(source, destination))
      if (pair.destination === undefined || !isMarkKey(pair.destination.key)) yield pair;
  }

  /** The leases that the source still has and the destination has not. */
  async #missing(leases: readonly bigint[]): Promise<readonly bigint[]> {
    const there = new Set(await this.#ports.destination.lease.list());
    const candidates = leases.filter((id) => !there.has(id));
    const left = await Promise.all(candidates.map((id) => this.#ports.source.lease.timeToLive(id)));
    return left.filter(({ ttlSec }) => ttlSec > 0).map(({ id }) => id);
  }

  #tellNowAndThen(line: () => string): void {
    if (this.#nowMs() - this.#toldMs < tellMs) return;
    this.#toldMs = this.#nowMs();
    this.#ports.tell(line());
  }

  #nowMs(): number {
    return this.#ports.source.ports.clock.monotonicMs();
  }
}
