/** @module Topics as an operator sees them: which there are, how much is in them, and how far their subscribers came. */
import { prefixEnd, utf8 } from "@conclave/base";
import { between, type CallOptions, type ClientView, type KeyValue, prefix } from "@conclave/client";
import { isAfter, type Place, parsePlace } from "./place.ts";
import { groupKeys, parseTopicKey, type TopicKeys, topicKeys, topicsPrefix } from "./topic-keys.ts";

/** A message, without its content. */
export interface MessagePlace {
  /** Its id. */
  readonly id: string;
  /** Its position. */
  readonly position: number;
}

/** How far a subscriber by name came. */
export interface SubscriptionState {
  /** Its name. */
  readonly name: string;
  /** The position up to which messages are done. */
  readonly position: number;
  /** Messages after that, at most {@link behindMax}. */
  readonly behind: number;
}

/** How far a consumer group came. */
export interface GroupState {
  /** Its name. */
  readonly name: string;
  /** The position up to which messages were handed out. */
  readonly position: number;
  /** Messages after that, at most {@link behindMax}. */
  readonly behind: number;
  /** Messages that were handed out and are not done. */
  readonly pending: number;
  /** Members that are there. */
  readonly members: number;
}

/** What a topic holds. */
export interface TopicState {
  /** Its name. */
  readonly name: string;
  /** The revision at which it was so. */
  readonly revision: number;
  /** Messages stored. */
  readonly messages: number;
  /** The oldest of them; undefined if there is none. */
  readonly oldest: MessagePlace | undefined;
  /** The newest of them. */
  readonly newest: MessagePlace | undefined;
  /** Its subscribers, by name. */
  readonly subscriptions: readonly SubscriptionState[];
  /** Its consumer groups, by name. */
  readonly groups: readonly GroupState[];
  /** Messages that wait until they are due. */
  readonly delayed: number;
}

/** Where topics are kept. */
export interface TopicsOptions extends CallOptions {
  /** What all their keys start with; default `topics/`. */
  readonly prefix?: string;
}

/** Most messages that are counted to tell how far a subscriber is behind. */
export const behindMax = 10_000;

/**
 * The names of the topics that hold a message or know a subscriber, in their order. Asks once or twice per topic, however
 * many messages there are.
 */
export async function* listTopics(
  client: ClientView,
  { prefix: start = topicsPrefix, ...options }: TopicsOptions = {},
): AsyncGenerator<string, void, undefined> {
  const end = prefixEnd(utf8(start));
  for (let next: Uint8Array = utf8(start); ; ) {
    const { kvs } = await client.range(between(next, end), { ...options, limit: 1, keysOnly: true });
    const [first] = kvs;
    if (first === undefined) return;
    const topic = parseTopicKey(first.keyString, start)?.topic;
    if (topic !== undefined) yield topic;
    // On to what does not start with this topic's keys; a key beside the layout is passed over by itself.
    next = topic === undefined ? new Uint8Array([...first.key, 0]) : prefixEnd(utf8(`${start}${topic}/`));
  }
}

/** Reads what a topic holds, all at one revision. */
export async function inspectTopic(
  client: ClientView,
  name: string,
  { prefix: start, ...options }: TopicsOptions = {},
): Promise<TopicState> {
  const keys = topicKeys(name, start);
  const messages = prefix(keys.messages);
  const subscribers = await client.range(prefix(keys.subscriptions), options);
  const { revision } = subscribers;
  const at = { ...options, revision };
  const edge = { ...at, sortBy: "createRevision", limit: 1, keysOnly: true } as const;
  const oldest = await client.range(messages, edge);
  const newest = await client.range(messages, { ...edge, order: "descending" });
  const delayed = await client.range(prefix(keys.delayed), { ...at, countOnly: true });
  const inspection = { client, name, keys, at };
  return {
    ...{ name, revision, messages: oldest.count, delayed: delayed.count },
    ...{ oldest: messagePlace(oldest.kvs, keys), newest: messagePlace(newest.kvs, keys) },
    subscriptions: await subscriptionStates(inspection, subscribers.kvs),
    groups: await groupStates(inspection),
  };
}

interface Inspection {
  readonly client: ClientView;
  readonly name: string;
  readonly keys: TopicKeys;
  readonly at: CallOptions & { readonly revision: number };
}

function messagePlace([kv]: readonly KeyValue[], { messages }: TopicKeys): MessagePlace | undefined {
  return kv && { id: kv.keyString.slice(messages.length), position: kv.createRevision };
}

async function subscriptionStates(
  inspection: Inspection,
  kvs: readonly KeyValue[],
): Promise<readonly SubscriptionState[]> {
  const states: SubscriptionState[] = [];
  for (const kv of kvs) {
    const place = parsePlace(kv.valueString);
    const name = kv.keyString.slice(inspection.keys.subscriptions.length);
    states.push({ name, position: place.position, behind: await countAfter(inspection, place) });
  }
  return states;
}

async function groupStates(inspection: Inspection): Promise<readonly GroupState[]> {
  const { client, keys, at } = inspection;
  const cursors: KeyValue[] = [];
  const counts = new Map<string, number>();
  for await (const kv of client.scan(prefix(keys.groups), at)) {
    const [group = "", part = ""] = kv.keyString.slice(keys.groups.length).split("/");
    if (kv.keyString === groupKeys(keys.groups, group).cursor) cursors.push(kv);
    else counts.set(`${group}/${part}`, (counts.get(`${group}/${part}`) ?? 0) + 1);
  }
  const states: GroupState[] = [];
  for (const kv of cursors) {
    const [name = ""] = kv.keyString.slice(keys.groups.length).split("/");
    const place = parsePlace(kv.valueString);
    const [pending, members] = ["pending", "members"].map((part) => counts.get(`${name}/${part}`) ?? 0);
    const behind = await countAfter(inspection, place);
    states.push({ name, position: place.position, behind, pending: pending ?? 0, members: members ?? 0 });
  }
  return states;
}

/** The store counts the whole range whatever the bounds, so the keys have to be fetched. */
async function countAfter({ client, name, keys, at }: Inspection, place: Place): Promise<number> {
  const after = { ...at, minCreateRevision: place.position, limit: behindMax + 1, keysOnly: true } as const;
  const { kvs } = await client.range(prefix(keys.messages), after);
  const places = kvs.map((kv) => ({
    position: kv.createRevision,
    tie: `${name}/${kv.keyString.slice(keys.messages.length)}`,
  }));
  return Math.min(places.filter((one) => isAfter(one, place)).length, behindMax);
}
