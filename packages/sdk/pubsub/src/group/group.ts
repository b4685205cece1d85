import { hex } from "@conclave/base";
import { type CallOptions, type ClientView, type Codec, compare, op, prefix } from "@conclave/client";
import { z } from "zod";
import type { Background } from "../follow.ts";
import type { MessageLog } from "../message-log.ts";
import { formatPlace, type Place } from "../place.ts";
import type { Start } from "../start.ts";
import { startSchema } from "../start.ts";
import { check, type GroupKeys, topicName } from "../topic-keys.ts";
import { type GroupMember, LeasedMember } from "./group-member.ts";

/** How a consumer group works. Members of one group must say the same. */
export interface GroupOptions {
  /** Where it starts when the first member ever joins. Default: `"earliest"`. */
  readonly from?: Start | undefined;
  /**
   * How long the others leave a message alone that a member has in hand, in milliseconds; then it may be handed out again.
   * Each measures it by its own monotonic clock from when it sees that the message was handed out. Default: 30 000.
   */
  readonly visibilityMs?: number | undefined;
  /** How long a member may be silent before what it has in hand goes to others, in seconds. Default: 15. */
  readonly ttlSec?: number | undefined;
  /** Most messages that one member has in hand. Default: 16. */
  readonly maxInFlight?: number | undefined;
  /** What becomes of a message that is handed out again and again. Default: it is handed out for ever. */
  readonly deadLetter?: DeadLetterOptions | undefined;
}

/** What becomes of a message that nobody acknowledges. */
export interface DeadLetterOptions {
  /** How often it is handed out, from 1, before it is moved. */
  readonly maxDeliveries: number;
  /**
   * The topic it is moved to, with the headers `dead-letter-topic`, `dead-letter-group`, `dead-letter-id` and
   * `dead-letter-deliveries`. Default: `<topic>.dead`.
   */
  readonly topic?: string | undefined;
}

/** A durable group of consumers that share the messages of a topic: each message goes to one of them. */
export interface ConsumerGroup<Message> {
  /** Its name. */
  readonly name: string;
  /** Joins it, and creates it if this is the first member. */
  join(options?: CallOptions): Promise<GroupMember<Message>>;
  /** Forgets how far it came, and what is in hand. Members that are there end with `NOT_FOUND`. */
  remove(options?: CallOptions): Promise<void>;
}

/** What a group is made of. */
export interface GroupParts<Message> {
  readonly client: ClientView;
  readonly topic: string;
  readonly name: string;
  readonly keys: GroupKeys;
  /** What the keys of a topic's messages start with. */
  readonly messagesOf: (topic: string) => string;
  readonly log: MessageLog;
  readonly codec: Codec<Message>;
  readonly mover: Background;
  /** Finds the place where a subscriber starts. */
  readonly placeOf: (start: Start, signal: AbortSignal | undefined) => Promise<Place>;
}

const optionsSchema = z.strictObject({
  from: startSchema.optional(),
  visibilityMs: z.number().min(1).optional(),
  ttlSec: z.number().int().min(1).optional(),
  maxInFlight: z.number().int().min(1).max(10_000).optional(),
  deadLetter: z.strictObject({ maxDeliveries: z.number().int().min(1), topic: topicName.optional() }).optional(),
});
const idBytes = 8;

/** Makes a group. @throws ConclaveError `INVALID_ARGUMENT` */
export function createGroup<Message>(parts: GroupParts<Message>, options: GroupOptions = {}): ConsumerGroup<Message> {
  check(optionsSchema, options, "options of a consumer group");
  const { client, keys } = parts;
  return {
    name: parts.name,
    async join(call = {}) {
      await create(parts, options.from ?? "earliest", call);
      const member = newMember(parts, options);
      try {
        await member.enter(call);
        return member;
      } catch (error) {
        // What it wrote goes with its lease, unless others share that: it is taken out without the caller's waiting for it.
        void member.leave().catch(() => {});
        throw error;
      }
    },
    async remove(call = {}) {
      await client.delete(prefix(keys.root), { ...call, idempotent: true });
    },
  };
}

async function create<Message>(
  { client, keys, placeOf }: GroupParts<Message>,
  from: Start,
  options: CallOptions,
): Promise<void> {
  if ((await client.get(keys.cursor, options)) !== undefined) return;
  const place = await placeOf(from, options.signal);
  await client
    .txn()
    .if(compare.createRevision(keys.cursor).equal(0))
    .then(op.put(keys.cursor, formatPlace(place)))
    .commit({ ...options, idempotent: true });
}

function newMember<Message>(
  { client, topic, name, keys, messagesOf, log, codec, mover }: GroupParts<Message>,
  { ttlSec, visibilityMs = 30_000, maxInFlight = 16, deadLetter }: GroupOptions,
): LeasedMember<Message> {
  const target = deadLetter === undefined ? undefined : messagesOf(deadLetter.topic ?? `${topic}.dead`);
  return new LeasedMember({
    ...{ client, topic, group: name, keys, log, codec, mover, visibilityMs, maxInFlight },
    id: hex(client.ports.random.bytes(idBytes)),
    messages: messagesOf(topic),
    session: client.sharedSession({ ttlSec }),
    deadLetter: deadLetter === undefined || target === undefined ? undefined : { ...deadLetter, target },
  });
}
