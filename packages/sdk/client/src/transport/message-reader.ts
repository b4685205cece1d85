import { GrpcStatus } from "@conclave/protocol";
import { TransportError } from "./transport.ts";

/** A flag and the length. */
const headBytes = 5;

/** Cuts what arrives on a stream into messages: each a flag, four bytes of length, and as many bytes. */
export class MessageReader {
  readonly #onMessage: (message: Uint8Array) => void;
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  #neededBytes = headBytes;

  /** @param onMessage - takes each message, in memory of its own */
  constructor(onMessage: (message: Uint8Array) => void) {
    this.#onMessage = onMessage;
  }

  /**
   * Takes the next bytes.
   *
   * @throws TransportError `INTERNAL` if a message is compressed, which nobody asked for
   */
  read(chunk: Uint8Array): void {
    this.#parts.push(chunk);
    this.#partBytes += chunk.length;
    // A long message is put together once all of it is there.
    if (this.#partBytes >= this.#neededBytes) this.#readMessages(joined(this.#parts, this.#partBytes));
  }

  /** Whether a message has begun and not ended. */
  get isMidway(): boolean {
    return this.#partBytes > 0;
  }

  #readMessages(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    this.#neededBytes = headBytes;
    while (bytes.length - at >= headBytes) {
      if (bytes[at] !== 0) throw new TransportError(GrpcStatus.Internal, "the member has sent a compressed message");
      const end = at + headBytes + view.getUint32(at + 1);
      this.#neededBytes = end - at;
      if (bytes.length < end) break;
      // A copy: a value that is kept must not keep everything that arrived with it.
      this.#onMessage(new Uint8Array(bytes.subarray(at + headBytes, end)));
      this.#neededBytes = headBytes;
      at = end;
    }
    const rest = bytes.subarray(at);
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#partBytes = rest.length;
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts, length);
}
