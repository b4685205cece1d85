import { concatBytes, emptyBytes } from "@conclave/base";
import { GrpcStatus } from "@conclave/protocol";
import { prefixBytes } from "./message-frame.ts";
import { RpcError } from "./rpc-error.ts";

/** A message as it came. */
export interface ReceivedMessage {
  /** Whether it is compressed with the encoding of the call. */
  readonly compressed: boolean;
  /** The message; a view of the bytes received. */
  readonly bytes: Uint8Array;
}

/** So many pieces, which may be of a byte each, are joined: each costs more memory than its bytes. */
const piecesMax = 1_024;

/**
 * Cuts a stream of bytes, split anywhere, into length-prefixed messages. What has arrived of the next message is
 * kept in the pieces it came in, so a large message is joined once or seldom, and a long prefix costs nothing by itself.
 */
export class MessageReader {
  readonly #maxBytes: number;
  #pieces: Uint8Array[] = [];
  #bufferedBytes = 0;

  /** @param maxBytes - the longest message to be read */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that no message was made of yet. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Takes the next bytes, which must not change afterwards. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#bufferedBytes += bytes.length;
    if (this.#pieces.push(bytes) === piecesMax) this.#pieces = [concatBytes(this.#pieces)];
  }

  /**
   * The next message, or undefined until more bytes arrive.
   *
   * @throws {@link RpcError} with grpc-go's status and text if the message is too long or its flag is unknown
   */
  read(): ReceivedMessage | undefined {
    if (this.#bufferedBytes < prefixBytes) return undefined;
    const prefix = this.#join(prefixBytes);
    const flag = prefix[0] as number;
    const length = new DataView(prefix.buffer, prefix.byteOffset).getUint32(1);
    if (flag > 1) throw new RpcError(GrpcStatus.Internal, `grpc: received unexpected payload format ${flag}`);
    if (length > this.#maxBytes) {
      throw new RpcError(
        GrpcStatus.ResourceExhausted,
        `grpc: received message larger than max (${length} vs. ${this.#maxBytes})`,
      );
    }
    if (this.#bufferedBytes < prefixBytes + length) return undefined;
    return { compressed: flag === 1, bytes: this.#take(prefixBytes + length).subarray(prefixBytes) };
  }

  /** Makes the first piece at least so long; as many bytes must be there. */
  #join(length: number): Uint8Array {
    const [first = emptyBytes] = this.#pieces;
    if (first.length >= length) return first;
    const joined = concatBytes(this.#pieces);
    this.#pieces = [joined];
    return joined;
  }

  #take(length: number): Uint8Array {
    const first = this.#join(length);
    this.#bufferedBytes -= length;
    if (first.length === length) this.#pieces.shift();
    else this.#pieces[0] = first.subarray(length);
    return first.subarray(0, length);
  }
}
