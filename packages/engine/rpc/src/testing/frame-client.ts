/** @module A client of bare frames: it breaks the rules of HTTP/2 that every library keeps. */
import { connect, type Socket } from "node:net";

/** A frame that came back. */
export interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Begins every connection. */
export const preface: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** A frame, whose length may be a lie. */
export function frame(
  type: number,
  {
    flags = 0,
    streamId = 0,
    payload = Buffer.alloc(0),
    length = payload.length,
  }: { flags?: number; streamId?: number; payload?: Uint8Array; length?: number } = {},
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** Header fields, each spelt out and added to no table (RFC 7541 §6.2.2); shorter than 127 bytes. */
export function literals(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const parts = fields.map(([name, value]) => {
    const [nameBytes, valueBytes] = [Buffer.from(name, "latin1"), Buffer.from(value, "latin1")];
    return Buffer.concat([Buffer.of(0, nameBytes.length), nameBytes, Buffer.of(valueBytes.length), valueBytes]);
  });
  return Buffer.concat(parts);
}

/** A connection. */
export class FrameClient implements Disposable {
  readonly socket: Socket;
  readonly #received: ReceivedFrame[] = [];
  #rest = Buffer.alloc(0);
  /** Whoever waits for the next frames, or the end. */
  #waiters: (() => void)[] = [];

  constructor(url: string) {
    const { port, hostname } = new URL(url);
    this.socket = connect({ port: Number(port), host: hostname });
    this.socket.on("error", () => undefined);
    this.socket.on("data", (bytes: Buffer) => {
      this.#onBytes(bytes);
      this.#wake();
    });
    this.socket.on("close", () => this.#wake());
  }

  /** What has come so far. */
  get received(): readonly ReceivedFrame[] {
    return this.#received;
  }

  /** Sends bytes. */
  send(...bytes: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(bytes));
  }

  /** Waits for a frame, which may have come already; undefined if the connection ends before. */
  async until(isMeant: (frame: ReceivedFrame) => boolean): Promise<ReceivedFrame | undefined> {
    let looked = 0;
    for (;;) {
      const found = this.#received.slice(looked).find(isMeant);
      if (found !== undefined || this.socket.closed) return found;
      looked = this.#received.length;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #onBytes(bytes: Buffer): void {
    let rest = Buffer.concat([this.#rest, bytes]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const end = 9 + rest.readUIntBE(0, 3);
      const [type = 0, flags = 0] = rest.subarray(3, 5);
      this.#received.push({ type, flags, streamId: rest.readUInt32BE(5), payload: rest.subarray(9, end) });
      rest = rest.subarray(end);
    }
    this.#rest = rest;
  }
}
