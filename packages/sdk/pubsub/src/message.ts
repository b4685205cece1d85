/** How messages become bytes. */
export interface MessageCodec<Message> {
  /** The text of a message. */
  encode(message: Message): string;
  /** The message of a text; throws if it is none. */
  decode(text: string): Message;
}

/** Messages as JSON, unchecked. */
export function jsonCodec<Message>(): MessageCodec<Message> {
  return { encode: (message) => JSON.stringify(message), decode: (text) => JSON.parse(text) as Message };
}

/** A message of a topic. */
export interface Delivery<Message> {
  /** The id it was published with, unique in the topic. */
  readonly id: string;
  /**
   * Its place in the topic, which grows with every message: the revision that published it. Messages published in one
   * transaction share it and come ordered by id. Subscribing from it brings what came later.
   */
  readonly position: number;
  /** The message. */
  readonly message: Message;
}
