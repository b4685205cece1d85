/**
 * @module Where a topic is kept. Everything of it lies under `<prefix><name>/`:
 *
 * | key | value |
 * |---|---|
 * | `messages/<id>` | a message (see `message.ts`); its position is the revision that created the key |
 * | `delayed/<due in ms, 16 digits>/<id>` | a message to be published when it is due |
 * | `subscriptions/<name>` | the place up to which a durable subscription is done |
 * | `groups/<name>/cursor` | the place up to which messages were handed to a member of the group |
 * | `groups/<name>/pending/<position, 16 digits>/<id>` | a message that was handed out and is not done |
 * | `groups/<name>/members/<id>` | a member of the group; hangs on its lease |
 */
import { prefixEnd, utf8 } from "@conclave/base";
import { ConclaveError, type KeyRange, prefix as keysWithPrefix } from "@conclave/client";
import { z } from "zod";

/** What the keys of all topics start with if nothing else is said. */
export const topicsPrefix = "topics/";

const parts = ["messages", "delayed", "subscriptions", "groups"] as const;

/** What the keys of a topic start with, part by part. */
export interface TopicKeys {
  /** Those of its messages. */
  readonly messages: string;
  /** Those of its messages that are not due. */
  readonly delayed: string;
  /** Those of the places of its subscribers. */
  readonly subscriptions: string;
  /** Those of its consumer groups. */
  readonly groups: string;
}

/** The keys of a topic. */
export function topicKeys(name: string, prefix: string = topicsPrefix): TopicKeys {
  const root = `${prefix}${name}/`;
  return {
    messages: `${root}messages/`,
    delayed: `${root}delayed/`,
    subscriptions: `${root}subscriptions/`,
    groups: `${root}groups/`,
  };
}

/** Where a consumer group is kept. */
export interface GroupKeys {
  /** What all its keys start with. */
  readonly root: string;
  /** How far it came. */
  readonly cursor: string;
  /** What the keys of the messages in hand start with. */
  readonly pending: string;
  /** What the keys of its members start with. */
  readonly members: string;
}

/** The keys of a consumer group. */
export function groupKeys(groups: string, name: string): GroupKeys {
  const root = `${groups}${name}/`;
  return { root, cursor: `${root}cursor`, pending: `${root}pending/`, members: `${root}members/` };
}

/** A number that sorts as text: a position, or a time in milliseconds. */
export function sortable(value: number): string {
  return String(value).padStart(16, "0");
}

/** What a key of the layout is about. */
export interface TopicPart {
  /** The topic. */
  readonly topic: string;
  /** Which of its parts. */
  readonly part: (typeof parts)[number];
  /** The rest of the key. */
  readonly rest: string;
}

/** Takes a key apart; undefined if it is none of the layout. */
export function parseTopicKey(key: string, prefix: string): TopicPart | undefined {
  const match = /^([^/]+)\/([^/]+)\/(.+)$/s.exec(key.slice(prefix.length));
  const part = parts.find((known) => known === match?.[2]);
  if (match?.[1] === undefined || match[3] === undefined || part === undefined) return undefined;
  return { topic: match[1], part, rest: match[3] };
}

/** Which messages a reader reads: all of a topic, or those of every topic with a matching name. */
export interface MessageSource {
  /** Keys that hold them all. */
  readonly range: KeyRange;
  /** The topic and id of a message's key; undefined if the key is of no message that is wanted. */
  parse(key: string): { readonly topic: string; readonly id: string } | undefined;
}

/** The messages of one topic. */
export function topicSource(topic: string, { messages }: TopicKeys): MessageSource {
  return { range: keysWithPrefix(messages), parse: (key) => ({ topic, id: key.slice(messages.length) }) };
}

/** The messages of every topic whose name matches: one range, from which the rest is left out. */
export function patternSource(pattern: string, prefix: string = topicsPrefix): MessageSource {
  const tokens = check(patternSchema, pattern, "pattern of topics").split(".");
  const literal = pattern.slice(0, pattern.search(/[*>]|$/));
  const start = `${prefix}${literal}`;
  const range = { key: utf8(start), rangeEnd: prefixEnd(utf8(start)) };
  return {
    range: start === "" ? keysWithPrefix("") : range,
    parse(key) {
      const found = parseTopicKey(key, prefix);
      if (found?.part !== "messages" || !matches(tokens, found.topic.split("."))) return undefined;
      return { topic: found.topic, id: found.rest };
    },
  };
}

/** `*` stands for one word, `>` at the end for one or more. */
function matches(pattern: readonly string[], words: readonly string[]): boolean {
  if (pattern.at(-1) === ">") {
    const head = pattern.slice(0, -1);
    return words.length > head.length && matches(head, words.slice(0, head.length));
  }
  return pattern.length === words.length && pattern.every((token, at) => token === "*" || token === words[at]);
}

/** A part of a key: a name or an id. */
export const segment: z.ZodString = z
  .string()
  .max(512)
  .regex(/^[^/\s]+$/, "must be one or more characters other than / and white space");
/** The name of a topic. */
export const topicName: z.ZodString = segment.regex(/^[^*>]+$/, "must not hold * or >, which are for patterns");
const patternSchema = segment.refine(
  (pattern) =>
    pattern.split(".").every((token, at, { length }) => isToken(token) || (token === ">" && at === length - 1)),
  "* must stand for a whole word between dots, and > for the last one",
);

function isToken(token: string): boolean {
  return token === "*" || !/[*>]/.test(token);
}

/** Checks what a user passed in. */
export function check<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where =
    issue === undefined || issue.path.length === 0 ? what : `${issue.path.map(String).join(".")} of ${what}`;
  throw new ConclaveError("INVALID_ARGUMENT", `Invalid ${where}: ${issue?.message}: received ${show(value)}`);
}

function show(value: unknown): string {
  return String(
    JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "bigint" ? `${inner}n` : inner)),
  ).slice(0, 200);
}
