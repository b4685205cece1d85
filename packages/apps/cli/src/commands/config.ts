import type { Config, ConfigVersion, PublicationReason, PublishOptions } from "@conclave/config";
import type { CommandContext, CommandGroup, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { int64Flag, textFlag } from "../flags.ts";
import { type Listing, printListing } from "../format/listing.ts";
import { messageOf } from "./explain.ts";
import { exactOperands, optionalOperand } from "./own-arguments.ts";

const revisionFlag = (description: string) => int64Flag("revision", description);

/** What the history says of a publication beside its value. */
interface Reason {
  readonly by: string;
  readonly note: string;
}

const reasonFlags = [
  textFlag("--by <name>", "who publishes it, for the history"),
  textFlag("--note <text>", "why, for the history"),
];

const listCommand: CommandSpec = {
  names: ["list"],
  usage: "[prefix]",
  description: "list the keys that hold a configuration, which is any JSON",
  async run(context, { operands }) {
    const prefix = optionalOperand("config list", operands) ?? "";
    const { listConfigs } = await configurations();
    const { revision, configs } = await listConfigs(context.client, prefix);
    printListing(context, {
      columns: ["Key", "Revision", "Publications", "Bytes"],
      rows: configs.map(({ key, revision: published, publications, sizeBytes }) => [
        key,
        published,
        publications,
        sizeBytes,
      ]),
      json: { revision, configs: configs.map((config) => ({ ...config })) },
    });
  },
};

const getCommand: CommandSpec = {
  names: ["get"],
  usage: "<key>",
  description: "show the configuration in force",
  async run(context, { operands }) {
    const config = await configOf(context, exactOperands("config get", operands, ["key"]));
    const version = await config.get();
    if (version === undefined) throw nothing(config);
    printVersions(context, [version], () => `${JSON.stringify(version.value, undefined, 2)}\n`);
  },
};

const historyCommand: CommandSpec<{ readonly limit: bigint }> = {
  names: ["history"],
  usage: "<key>",
  description: "show the values that were in force, newest first, as far as they are kept",
  flags: [int64Flag("limit", "most values to show").default(10n, "10")],
  async run(context, { operands, options: { limit } }) {
    const config = await configOf(context, exactOperands("config history", operands, ["key"]));
    if (limit < 1n || limit > 1_000n)
      throw new CommandError(exitCodes.badArguments, `--limit must be between 1 and 1000: current value is ${limit}`);
    const versions = await config.history({ limit: Number(limit) });
    if (versions.length === 0) throw nothing(config);
    printVersions(context, versions);
  },
};

const setCommand: CommandSpec<{ readonly revision: bigint } & Reason> = {
  names: ["set"],
  usage: "<key> <json>",
  description: "publish a configuration, unless somebody else publishes meanwhile",
  flags: [revisionFlag("publish only over the value of this revision; default: over the one in force"), ...reasonFlags],
  async run(context, { operands, options: { revision, ...reason } }) {
    const [key = "", json = ""] = exactOperands("config set", operands, ["key", "json"]);
    const config = await configOf(context, [key]);
    const value = parseJson(json);
    // What another one publishes between this reading and the writing is not overwritten unseen.
    const ifRevision = revision === 0n ? ((await config.get())?.revision ?? 0) : Number(revision);
    printVersions(context, [await config.publish(value, { ifRevision, ...reasonOf(reason) } satisfies PublishOptions)]);
  },
};

const rollbackCommand: CommandSpec<{ readonly revision: bigint } & Reason> = {
  names: ["rollback"],
  usage: "<key>",
  description: "publish an earlier value again, unless somebody else publishes meanwhile",
  flags: [
    revisionFlag("the revision whose value to go back to; default: the value before the one in force"),
    ...reasonFlags,
  ],
  async run(context, { operands, options: { revision, ...reason } }) {
    const config = await configOf(context, exactOperands("config rollback", operands, ["key"]));
    const toRevision = revision === 0n ? undefined : Number(revision);
    printVersions(context, [await config.rollback({ toRevision, ...reasonOf(reason) })]);
  },
};

const diffCommand: CommandSpec<{ readonly from: bigint; readonly to: bigint }> = {
  names: ["diff"],
  usage: "<key>",
  description: "show what is different between two publications",
  flags: [
    int64Flag("from", "the revision of the earlier one; default: the one before the later"),
    int64Flag("to", "the revision of the later one; default: the one in force"),
  ],
  async run(context, { operands, options: { from, to } }) {
    const config = await configOf(context, exactOperands("config diff", operands, ["key"]));
    const revisions = { from: from === 0n ? undefined : Number(from), to: to === 0n ? undefined : Number(to) };
    const { differences, ...compared } = await config.diff(revisions);
    const shown = differences.map(
      ({ path, before, after }) => [path.join("."), textOf(before), textOf(after)] as const,
    );
    printListing(context, {
      columns: ["Path", "Before", "After"],
      rows: shown,
      json: { ...compared, differences: shown.map(([path, before, after]) => ({ path, before, after })) },
    });
  },
};

const runningCommand: CommandSpec = {
  names: ["running"],
  usage: "<key>",
  description: "show which revision the instances have in force that acknowledge it, and what they refuse",
  async run(context, { operands }) {
    const config = await configOf(context, exactOperands("config running", operands, ["key"]));
    const rows = (await config.running()).map(
      ({ instance, revision = 0, gray, rejected = "" }) => [instance, revision, gray, rejected] as const,
    );
    printListing(context, {
      columns: ["Instance", "Revision", "Gray", "Refuses"],
      rows,
      json: rows.map(([instance, revision, gray, rejected]) => ({ instance, revision, gray, rejected })),
    });
  },
};

/** `config`: the configurations of `@conclave/config`. Their schemas are the applications': readers still check. */
export const configGroup: CommandGroup = {
  name: "config",
  description: "show and publish the configurations of @conclave/config",
  commands: [listCommand, getCommand, historyCommand, diffCommand, setCommand, rollbackCommand, runningCommand],
};

/** With its schemas it takes longer to load than most commands take; so it is loaded by those that need it. */
function configurations(): Promise<typeof import("@conclave/config")> {
  return import("@conclave/config");
}

async function configOf({ client }: CommandContext, [key = ""]: readonly string[]): Promise<Config<unknown>> {
  const { anyJson, createConfig } = await configurations();
  return createConfig(client, key, { schema: anyJson });
}

function nothing({ key }: Config<unknown>): CommandError {
  return new CommandError(exitCodes.failure, `${JSON.stringify(key)} was never published`);
}

function reasonOf({ by, note }: Reason): PublicationReason {
  return { by: by === "" ? undefined : by, note: note === "" ? undefined : note };
}

/** A value as JSON; nothing for no value. */
function textOf(value: unknown): string {
  return value === undefined ? "" : JSON.stringify(value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CommandError(exitCodes.badArguments, `the value is no JSON: ${messageOf(error)}`, { cause: error });
  }
}

/** Shows values with the revisions that published them; for people otherwise, if that is given. */
function printVersions(
  context: CommandContext,
  versions: readonly ConfigVersion<unknown>[],
  simple?: () => string,
): void {
  if (simple !== undefined && context.flags.writeOut === "simple") context.io.out(simple());
  else if (context.flags.writeOut === "json") context.io.out(`${JSON.stringify(versions)}\n`);
  else printListing(context, versionsListing(versions));
}

function versionsListing(versions: readonly ConfigVersion<unknown>[]): Listing {
  return {
    columns: ["Revision", "Value"],
    rows: versions.map(({ revision, value }) => [revision, JSON.stringify(value)]),
    json: null,
  };
}
