const encodedParts: unique symbol = Symbol("encoded parts");

/** A message that may know its bytes. */
interface MaybeEncoded {
  readonly [encodedParts]?: () => readonly Uint8Array[];
}

/**
 * Gives a message bytes that stand for it, so that nobody encodes it again: whoever reads a store has them already. A
 * copy of the message does not have them, so it may be changed; the message itself must not be any more.
 *
 * @param parts - the encoded message, in parts that are to be joined; asked for when it is sent
 * @returns the message
 */
export function withEncodedParts<Message extends object>(
  message: Message,
  parts: () => readonly Uint8Array[],
): Message {
  return Object.defineProperty(message, encodedParts, { value: parts });
}

/** The bytes of a message that was given some; undefined for one that must be encoded. */
export function encodedPartsOf(message: unknown): readonly Uint8Array[] | undefined {
  return (message as MaybeEncoded | null | undefined)?.[encodedParts]?.();
}
