import { randomUUID } from "node:crypto";
import type { Client } from "@conclave/client";
import type { CommandContext, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag } from "../flags.ts";
import { type Mark, readMark, removeMark, writeMark } from "../migrate/mark.ts";
import { Migration } from "../migrate/migration.ts";
import { readKeys, revisionOf } from "../migrate/read-keys.ts";
import { formatReport, formatReportJson, isEqual, type MigrationReport } from "../migrate/report.ts";
import { type DestinationOptions, destinationFlags, openDestination } from "./destination.ts";

/** The options of `migrate`. */
interface MigrateOptions extends DestinationOptions {
  /** Copy and compare, and do not wait for what comes. */
  readonly once: boolean;
  /** The last run: nobody writes to the source any more. */
  readonly finish: boolean;
}

/** `migrate`: brings everything that one cluster holds to another one, while the first is in use, and compares both. */
export const migrateCommand: CommandSpec<MigrateOptions> = {
  names: ["migrate"],
  usage: "<destination>[,<destination>...]",
  description: "copy all keys and leases to an empty cluster, follow until interrupted, compare; start again to go on",
  flags: [
    booleanFlag("--once", "copy what is there, compare and end, instead of following until interrupted"),
    booleanFlag("--finish", "the last run, with no writers left: copy the rest, compare, and remove the mark if equal"),
    ...destinationFlags,
  ],
  async run(context, { operands: [destination, ...more], options }) {
    const { flags, io } = context;
    if (destination === undefined || more.length > 0)
      throw new CommandError(exitCodes.badArguments, "migrate takes one destination argument");
    if (flags.writeOut !== "simple" && flags.writeOut !== "json")
      throw new CommandError(exitCodes.badFeature, "migrate writes simple or json");
    const { client } = await openDestination(context, destination.split(","), options);
    try {
      const report = await migrate(context, client, options);
      io.out(flags.writeOut === "json" ? formatReportJson(report) : formatReport(report));
      if (!isEqual(report)) throw new CommandError(exitCodes.failure, "the destination differs from the source");
      await advise(context, { client, destination, report, options });
    } finally {
      await client.close();
    }
  },
};

/** Copies, follows and compares. Leases are kept at the destination meanwhile. */
async function migrate(
  context: CommandContext,
  destination: Client,
  { once, finish }: MigrateOptions,
): Promise<MigrationReport> {
  const { io, client: source, watch } = context;
  const tell = (line: string): void => io.err(`${line}\n`);
  const migration = new Migration({ source, destination, watch, tell }, await prepare(source, destination));
  const ended = new AbortController();
  const keeping = migration.keepLeases(ended.signal);
  try {
    if (!once && !finish) await copyAndFollow(migration, { io, tell });
    // Another interruption ends the rest, too.
    const interrupted = io.interruption();
    return await unlessInterrupted(interrupted, () => migration.copyAndCompare(interrupted));
  } catch (error) {
    tell("nothing of what was copied is lost: start the same command again to go on");
    throw error;
  } finally {
    ended.abort();
    await keeping;
  }
}

async function copyAndFollow(
  migration: Migration,
  { io, tell }: Pick<CommandContext, "io"> & { readonly tell: (line: string) => void },
): Promise<void> {
  const interrupted = io.interruption();
  for (let stopped = false; !stopped; ) {
    const revision = await unlessInterrupted(interrupted, () => migration.copy(interrupted));
    tell(`follows the source from its revision ${revision + 1} on; interrupt to compare and end`);
    stopped = await migration.follow(revision, interrupted);
  }
  tell("interrupted: copies the rest and compares");
}

/** Says so where an interruption has ended it. */
async function unlessInterrupted<Result>(interrupted: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!interrupted.aborted) throw error;
    throw new CommandError(exitCodes.interrupted, "interrupted: start again to go on", { cause: error });
  }
}

/** The mark at the destination, left now if this is the first run. @throws CommandError if it must not be written to */
async function prepare(source: Client, destination: Client): Promise<Mark> {
  const [sourceId, destinationId] = await Promise.all([clusterOf(source), clusterOf(destination)]);
  if (sourceId === destinationId) throw refusal("source and destination are the same cluster");
  if ((await readMark(source)) !== undefined)
    throw refusal("the source is itself the destination of a migration that is not finished");
  const mark = await readMark(destination);
  if (mark === undefined) return await prepareEmpty(destination, sourceId);
  if (mark.source !== sourceId)
    throw refusal(`the destination holds a copy of another cluster, ${mark.source}; this one is ${sourceId}`);
  return await takeOver(destination, mark);
}

/** Begins a run: from now on no other one can write. */
async function takeOver(destination: Client, before: Pick<Mark, "source" | "revision">): Promise<Mark> {
  const mark = { source: before.source, revision: before.revision, run: randomUUID(), step: 0 };
  await writeMark(destination, mark);
  return mark;
}

async function prepareEmpty(destination: Client, source: string): Promise<Mark> {
  const keys = readKeys(destination, await revisionOf(destination), new AbortController().signal);
  if ((await keys.next()).done !== true)
    throw refusal("the destination is not empty, and no migration from this source has begun there");
  return await takeOver(destination, { source, revision: 0 });
}

async function clusterOf(client: Client): Promise<string> {
  const { header } = await client.raw.cluster.memberList();
  if (header === undefined) throw refusal("a server does not say which cluster it belongs to");
  return header.clusterId.toString(16);
}

interface Outcome {
  readonly client: Client;
  readonly destination: string;
  readonly report: MigrationReport;
  readonly options: MigrateOptions;
}

/** Says what is next; the last run takes the mark away. */
async function advise({ io, client: source }: CommandContext, outcome: Outcome): Promise<void> {
  const { client, destination, report, options } = outcome;
  if (!options.finish) {
    io.err("to cut over: stop all writers, run this again with --finish, then point clients to the destination\n");
    return;
  }
  if ((await revisionOf(source)) !== report.sourceRevision)
    throw new CommandError(exitCodes.failure, "the source is still being written to: stop all writers and start again");
  await removeMark(client);
  io.err(`finished: point all clients to ${destination}, and start writers there\n`);
}

function refusal(message: string): CommandError {
  return new CommandError(exitCodes.failure, `cannot migrate: ${message}`);
}
