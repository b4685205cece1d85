import { stringCodec } from "@conclave/client";
import { createTopic, inspectTopic, listTopics, type Topic, type TopicState } from "@conclave/pubsub";
import type { CommandContext, CommandGroup, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag, textFlag } from "../flags.ts";
import { printListing } from "../format/listing.ts";
import { goJson } from "../go/json.ts";
import { messageOf } from "./explain.ts";
import { exactOperands, optionalOperand } from "./own-arguments.ts";

/** The options of all commands about topics. */
interface TopicsOptions {
  /** What the keys of all topics start with. */
  readonly prefix: string;
}

const listCommand: CommandSpec<TopicsOptions> = {
  names: ["list"],
  usage: "",
  description: "list the topics, with their messages and subscribers",
  async run(context, { operands, options: { prefix } }) {
    if (optionalOperand("topics list", operands) !== undefined)
      throw new CommandError(exitCodes.badArguments, "topics list takes no arguments");
    const topics: TopicState[] = [];
    for await (const name of listTopics(context.client, { prefix }))
      topics.push(await inspectTopic(context.client, name, { prefix }));
    printListing(context, {
      columns: ["Name", "Messages", "Oldest", "Newest", "Subscribers"],
      rows: topics.map(({ name, messages, oldest, newest, subscriptions }) => [
        ...[name, messages, oldest?.position ?? "", newest?.position ?? "", subscriptions.length],
      ]),
      json: topics.map(jsonOf),
    });
  },
};

const showCommand: CommandSpec<TopicsOptions> = {
  names: ["show"],
  usage: "<name>",
  description: "show the subscribers of a topic, and how far each of them is behind",
  async run(context, { operands, options: { prefix } }) {
    const [name = ""] = exactOperands("topics show", operands, ["name"]);
    const state = await inspectTopic(context.client, name, { prefix });
    if (context.flags.writeOut === "simple") context.io.out(headerText(state));
    printListing(context, {
      columns: ["Subscriber", "Position", "Behind"],
      rows: [
        ...state.subscriptions.map(({ name, position, behind }) => [name, position, behind]),
        ...state.groups.map(({ name, position, behind }) => [`${name} (group)`, position, behind]),
      ],
      json: jsonOf(state),
    });
  },
};

const tailCommand: CommandSpec<TopicsOptions & { readonly from: string }> = {
  names: ["tail"],
  usage: "<name>",
  description: "show the messages of a topic as they are published, until interrupted",
  flags: [textFlag("--from <start>", "where to start: now, earliest, or after a position", "now")],
  async run({ client, io, flags }, { operands, options: { prefix, from } }) {
    const topic = textTopic({ client }, exactOperands("topics tail", operands, ["name"]), prefix);
    if (flags.writeOut !== "simple" && flags.writeOut !== "json")
      throw new CommandError(exitCodes.badFeature, "topics tail writes simple or json");
    const messages = topic.subscribe({ from: parseStart(from), signal: io.interruption() });
    for await (const { id, position, message } of messages) {
      const line = flags.writeOut === "json" ? goJson({ id, position, message }) : `${position} ${id} ${message}`;
      io.out(`${line}\n`);
    }
  },
};

const publishCommand: CommandSpec<TopicsOptions & { readonly id: string; readonly text: boolean }> = {
  names: ["publish"],
  usage: "<name> <message>",
  description: "publish a message, which is JSON as subscribers expect it unless told otherwise",
  flags: [
    textFlag("--id <id>", "the message's id: publishing it again publishes nothing; default: random"),
    booleanFlag("--text", "take the message as it is, for a topic that has a codec of its own"),
  ],
  async run(context, { operands, options: { prefix, id, text } }) {
    const [name = "", message = ""] = exactOperands("topics publish", operands, ["name", "message"]);
    if (!text) checkJson(message);
    const published = await textTopic(context, [name], prefix).publish(message, id === "" ? {} : { id });
    printListing(context, {
      columns: ["ID", "Position"],
      rows: [[published.id, published.position]],
      json: { id: published.id, position: published.position },
    });
  },
};

/** `topics`: the topics of `@conclave/pubsub`. */
export const topicsGroup: CommandGroup = {
  name: "topics",
  description: "list, show, follow and publish to the topics of @conclave/pubsub",
  flags: [textFlag("--prefix <prefix>", "what the keys of all topics start with", "topics/")],
  commands: [listCommand, showCommand, tailCommand, publishCommand],
};

/** A topic whose messages are shown and taken as they stand in the store. */
function textTopic(
  { client }: Pick<CommandContext, "client">,
  [name = ""]: readonly string[],
  prefix: string,
): Topic<string> {
  return createTopic(client, name, { prefix, codec: stringCodec });
}

function checkJson(message: string): void {
  try {
    JSON.parse(message);
  } catch (error) {
    const remedy = `quote it as JSON, such as ${JSON.stringify(JSON.stringify(message))}, or give --text`;
    const complaint = `the message is no JSON (${messageOf(error)}): ${remedy}`;
    throw new CommandError(exitCodes.badArguments, complaint, { cause: error });
  }
}

function parseStart(from: string): "now" | "earliest" | number {
  if (from === "now" || from === "earliest") return from;
  if (/^\d{1,15}$/.test(from)) return Number(from);
  const message = `--from must be now, earliest or a position: current value is ${JSON.stringify(from)}`;
  throw new CommandError(exitCodes.badArguments, message);
}

function headerText({ name, messages, oldest, newest }: TopicState): string {
  const range =
    oldest === undefined || newest === undefined ? "" : `, positions ${oldest.position} to ${newest.position}`;
  return `${JSON.stringify(name)} holds ${messages} ${messages === 1 ? "message" : "messages"}${range}\n`;
}

function jsonOf({ subscriptions, groups, oldest, newest, ...topic }: TopicState) {
  return {
    ...topic,
    oldest: oldest === undefined ? undefined : { ...oldest },
    newest: newest === undefined ? undefined : { ...newest },
    subscriptions: subscriptions.map((subscription) => ({ ...subscription })),
    groups: groups.map((group) => ({ ...group })),
  };
}
