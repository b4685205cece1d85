/**
 * @module A message and how it is stored: a line of JSON that tells when it was published and its headers, then what the
 * codec made of it. So it can be read with any client:
 *
 * ```text
 * {"publishedAtMs":1767225600000,"headers":{"trace":"7f"}}
 * {"order":7}
 * ```
 */
import { concatBytes, utf8 } from "@conclave/base";
import { type Codec, ConclaveError, isConclaveError, type KeyValue, stringCodec } from "@conclave/client";
import { z } from "zod";

/** What a publisher says of a message beside its content. */
export type Headers = Readonly<Record<string, string>>;

/** A message of a topic. */
export interface Delivery<Message> {
  /** The topic. */
  readonly topic: string;
  /** The id it was published with, unique in the topic. */
  readonly id: string;
  /**
   * Its place in the topic, which grows with every message: the revision that published it. Messages published in one
   * transaction share it and come ordered by topic and id. Subscribing from it brings what came later.
   */
  readonly position: number;
  /** When it was published, by the publisher's wall clock, in milliseconds since 1970; when it was due if it was delayed. */
  readonly publishedAtMs: number;
  /** What the publisher said of it. */
  readonly headers: Headers;
  /** The message. */
  readonly message: Message;
}

const newline = 0x0a;
const metaSchema = z.object({
  publishedAtMs: z.number(),
  headers: z.record(z.string(), z.string()).optional(),
});

/** A message as it is stored. */
export interface StoredMessage {
  /** See {@link Delivery.publishedAtMs}. */
  readonly publishedAtMs: number;
  /** See {@link Delivery.headers}. */
  readonly headers: Headers;
  /** What the codec made of the message. */
  readonly payload: Uint8Array;
}

/** A message's key as it was read. */
export interface LogEntry {
  /** The key and its value. */
  readonly kv: KeyValue;
  /** Its topic. */
  readonly topic: string;
  /** Its id. */
  readonly id: string;
}

/** The value of a message's key. */
export function encodeStored({ publishedAtMs, headers, payload }: StoredMessage): Uint8Array {
  const meta = Object.keys(headers).length === 0 ? { publishedAtMs } : { publishedAtMs, headers };
  return concatBytes([utf8(`${JSON.stringify(meta)}\n`), payload]);
}

/**
 * What a message's key holds.
 *
 * @throws ConclaveError `DATA_LOSS` if it was not published as messages are
 */
export function decodeStored(key: string, value: Uint8Array): StoredMessage {
  const end = value.indexOf(newline);
  try {
    const meta = metaSchema.parse(JSON.parse(stringCodec.decode(value.subarray(0, Math.max(end, 0)))));
    return { publishedAtMs: meta.publishedAtMs, headers: meta.headers ?? {}, payload: value.subarray(end + 1) };
  } catch (cause) {
    throw new ConclaveError("DATA_LOSS", `The key "${key}" holds no message`, { cause });
  }
}

/** The time at which a message was published, for those who do not read it; undefined if the key holds none. */
export function publishedAtMsOf({ keyString, value }: KeyValue): number | undefined {
  try {
    return decodeStored(keyString, value).publishedAtMs;
  } catch {
    // Whoever reads it hears of it; it is as old as what is around it.
    return undefined;
  }
}

/**
 * The message of an entry.
 *
 * @throws ConclaveError `DATA_LOSS` if it cannot be decoded
 */
export function toDelivery<Message>({ kv, topic, id }: LogEntry, codec: Codec<Message>): Delivery<Message> {
  const { payload, ...said } = decodeStored(kv.keyString, kv.value);
  return { topic, id, position: kv.createRevision, ...said, message: decodePayload(kv.keyString, payload, codec) };
}

function decodePayload<Message>(key: string, payload: Uint8Array, codec: Codec<Message>): Message {
  try {
    return codec.decode(payload);
  } catch (cause) {
    if (isConclaveError(cause)) throw cause;
    throw new ConclaveError("DATA_LOSS", `The message of "${key}" cannot be decoded`, { cause });
  }
}
