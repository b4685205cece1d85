/** @module One run of `verify`: clients at work, watches beside them, and then what the checkers say of both. */
import { binaryStringBytes } from "@conclave/base";
import { type HistoryEvent, HistoryRecorder, type KvAnswer, type KvOperation, operationsOf } from "@conclave/checkers";
import type { ClientView, RawCallOptions, RawServices } from "@conclave/client";
import { CommandError, exitCodes } from "../exit.ts";
import type { WatchResponses } from "../watch-responses.ts";
import { type CheckResult, judge } from "./judgement.ts";
import { createKeySpace, type KeySpace } from "./key-space.ts";
import { RecordedWatch } from "./recorded-watch.ts";
import { type OperationCounts, Workload } from "./workload.ts";

/** What a run is made of. */
export interface RunOptions {
  /** Where operations are sent. */
  readonly services: Pick<RawServices, "kv" | "lease">;
  /** Opens watches of some members. */
  readonly watch: (endpoints: readonly string[]) => WatchResponses;
  /** Time, timers and chance. */
  readonly ports: ClientView["ports"];
  /** The members, at least one. */
  readonly endpoints: readonly string[];
  /** What every key of the run starts with; there must be none, and there will be none. */
  readonly prefix: string;
  /** How many clients there are. */
  readonly clients: number;
  /** How many keys they meet at. */
  readonly keys: number;
  /** Operations that they begin in a second. */
  readonly ratePerSec: number;
  /** For how long, in milliseconds. */
  readonly durationMs: number;
  /** How long an operation may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the work early; what was recorded by then is judged. */
  readonly signal: AbortSignal;
}

/** What came of a run. */
export interface RunResult {
  /** What became of the operations. */
  readonly operations: OperationCounts;
  /** What the watches were told. */
  readonly watches: readonly WatchSummary[];
  /** What the checkers say. */
  readonly checks: readonly CheckResult[];
  /** Everything that clients asked and were told. */
  readonly history: readonly HistoryEvent<KvOperation, KvAnswer>[];
  /** Whether the keys of the run are gone. */
  readonly isTidy: boolean;
}

/** What one watch was told. */
export interface WatchSummary {
  /** What it is called. */
  readonly name: string;
  /** Events it was told. */
  readonly events: number;
  /** How often it was cut off and resumed. */
  readonly resumed: number;
}

/** A watch is cut off and resumed so often while clients work. */
const cutEveryMs = 500;
/** How long watches may take to be told of the last write, and how often it is written for them to be told of. */
const reachMs = 1_000;
const marksMax = 15;
/** After so many marks a watch that is silent is asked for at another member. */
const marksBeforeCut = 3;
const tidyUpMs = 60_000;

/**
 * Runs a workload, records what it and the watches were told, removes its keys and judges.
 *
 * @throws CommandError if there are keys under the prefix; ConclaveError if no member answers
 */
export async function runVerification(options: RunOptions): Promise<RunResult> {
  const space = createKeySpace(options.prefix, options.keys);
  const startRevision = await emptySpaceAt(options, space);
  const recorder = new HistoryRecorder<KvOperation, KvAnswer>(options.ports.clock);
  const workload = new Workload({ ...options, services: options.services, recorder, space });
  const watches = openWatches(options, space, startRevision);
  const ended = Promise.all(watches.map((watch) => watch.run()));
  let isTidy = false;
  let endRevision: number | undefined;
  try {
    await workload.run(options.signal);
    await workload.readAll();
    endRevision = await settle(workload, watches);
  } finally {
    for (const watch of watches) watch.stop();
    await ended;
    isTidy = await tidyUp(options, space);
  }
  const operations = operationsOf(recorder.events);
  return {
    operations: workload.counts,
    watches: watches.map(({ name, events, resumed }) => ({ name, events: events.length, resumed })),
    checks: judge({ operations, watches, startRevision, endRevision }),
    history: recorder.events,
    isTidy,
  };
}

/** The present revision, at which no key of the run may be there. */
async function emptySpaceAt({ services, prefix }: RunOptions, space: KeySpace): Promise<number> {
  const { count, header } = await services.kv.range({ ...rangeBytes(space), countOnly: true });
  if (count > 0)
    throw new CommandError(exitCodes.invalidInput, `there are keys that start with ${JSON.stringify(prefix)} already`);
  return header?.revision ?? 0;
}

/** One watch of each member, and one that goes from member to member. */
function openWatches(options: RunOptions, { range }: KeySpace, startRevision: number): readonly RecordedWatch[] {
  const { endpoints, ports, watch: open } = options;
  const common = { open, range, startRevision: startRevision + 1, ports };
  const steady = endpoints.map((endpoint, at) => {
    const others = [...endpoints.slice(at), ...endpoints.slice(0, at)];
    return new RecordedWatch({ ...common, name: `watch at ${endpoint}`, endpoints: others });
  });
  return [...steady, new RecordedWatch({ ...common, name: "watch cut off and resumed", endpoints, cutEveryMs })];
}

/**
 * Writes marks until every watch was told of the last one, so that what a watch was not told by then it has missed.
 *
 * @returns the revision of that mark; undefined if no watch got there, or one that is still at it did not
 */
async function settle(workload: Workload, watches: readonly RecordedWatch[]): Promise<number | undefined> {
  for (let mark = 1; mark <= marksMax; mark++) {
    const revision = await workload.mark();
    if (revision === undefined) continue;
    const reached = await Promise.all(watches.map((watch) => watch.reached(revision, reachMs)));
    const waits = reached.some((one, at) => !one && watches[at]?.failure === undefined);
    if (!waits) return reached.includes(true) ? revision : undefined;
    if (mark >= marksBeforeCut) for (const [at, watch] of watches.entries()) if (reached[at] === false) watch.cut();
  }
  return undefined;
}

async function tidyUp({ services }: RunOptions, space: KeySpace): Promise<boolean> {
  const options: RawCallOptions = { timeoutMs: tidyUpMs, idempotent: true };
  return await services.kv.deleteRange(rangeBytes(space), options).then(
    () => true,
    () => false, // The report says so; the verdict does not depend on it.
  );
}

function rangeBytes({ range }: KeySpace): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } {
  return { key: binaryStringBytes(range.key), rangeEnd: binaryStringBytes(range.rangeEnd ?? "") };
}
