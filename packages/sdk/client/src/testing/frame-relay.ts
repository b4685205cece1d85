/** @module A relay that understands HTTP/2 well enough to cut a connection between two messages of gRPC. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** One frame on its way from the member. Frames of data are split where a message of gRPC ends. */
export interface RelayedFrame {
  /** HTTP/2's type: 0 data, 1 headers. */
  readonly type: number;
  /** The stream; 0 for the connection itself. */
  readonly streamId: number;
  /** The message of gRPC that ends with this frame; undefined if none does. */
  readonly message: Uint8Array | undefined;
}

/** What to do with a frame. */
export type FrameFate = "pass" | "cut before" | "cut after";

/** A relay before a member. */
export interface FrameRelay extends AsyncDisposable {
  /** Where it listens, as `127.0.0.1:port`. */
  readonly endpoint: string;
  /** How many connections it has cut. */
  readonly cuts: number;
}

/** How a relay treats the frames of its connections. */
export interface FrameRelayOptions {
  /** The member, as `host:port`. */
  readonly target: string;
  /** Decides on each frame. `connection` counts from 0. */
  readonly onFrame: (frame: RelayedFrame, connection: number) => FrameFate;
}

const headerBytes = 9;
const messageHeaderBytes = 5;
const dataType = 0;

/** Finds where the messages of gRPC end in the data of one stream. */
class MessageReader {
  /** What has come of the header, or of the message behind it. */
  #parts: Buffer[] = [];
  #isHeader = true;
  #missing = messageHeaderBytes;

  /** Cuts data behind each message, and tells the message that ends there. */
  *push(data: Buffer): Generator<{ readonly data: Buffer; readonly message: Uint8Array | undefined }> {
    let [start, at] = [0, 0];
    while (at < data.length) {
      const part = data.subarray(at, at + this.#missing);
      this.#parts.push(part);
      this.#missing -= part.length;
      at += part.length;
      if (this.#missing === 0 && this.#isHeader) this.#expect({ header: false });
      if (this.#missing > 0) continue;
      const message = Buffer.concat(this.#parts);
      this.#expect({ header: true });
      yield { data: data.subarray(start, at), message };
      start = at;
    }
    if (start < data.length) yield { data: data.subarray(start), message: undefined };
  }

  #expect({ header }: { readonly header: boolean }): void {
    this.#missing = header ? messageHeaderBytes : Buffer.concat(this.#parts).readUInt32BE(1);
    this.#isHeader = header;
    this.#parts = [];
  }
}

/** Splits what a member sends into frames. */
class FrameReader {
  #left = Buffer.alloc(0);
  readonly #streams = new Map<number, MessageReader>();

  *push(chunk: Buffer): Generator<{ readonly bytes: Buffer; readonly frame: RelayedFrame }> {
    this.#left = Buffer.concat([this.#left, chunk]);
    for (;;) {
      if (this.#left.length < headerBytes) return;
      const end = headerBytes + this.#left.readUIntBE(0, 3);
      if (this.#left.length < end) return;
      const bytes = this.#left.subarray(0, end);
      this.#left = this.#left.subarray(end);
      yield* this.#split(bytes);
    }
  }

  *#split(bytes: Buffer): Generator<{ readonly bytes: Buffer; readonly frame: RelayedFrame }> {
    const [type, flags, streamId] = [bytes.readUInt8(3), bytes.readUInt8(4), bytes.readUInt32BE(5)];
    // Members pad nothing and end no stream by data, so that the parts need no other flags than the whole.
    if (type !== dataType || flags !== 0) return yield { bytes, frame: { type, streamId, message: undefined } };
    const reader = this.#streams.get(streamId) ?? new MessageReader();
    this.#streams.set(streamId, reader);
    for (const { data, message } of reader.push(bytes.subarray(headerBytes)))
      yield { bytes: dataFrame(bytes, data), frame: { type, streamId, message } };
  }
}

/** A frame like another one, with a part of its data. */
function dataFrame(whole: Buffer, data: Buffer): Buffer {
  const header = Buffer.from(whole.subarray(0, headerBytes));
  header.writeUIntBE(data.length, 0, 3);
  return Buffer.concat([header, data]);
}

/** Starts a relay on a free loopback port. */
export async function startFrameRelay({ target, onFrame }: FrameRelayOptions): Promise<FrameRelay> {
  const sockets = new Set<Socket>();
  let connections = 0;
  let cuts = 0;
  const [host = "", port = ""] = target.split(":");
  const server = createServer((client) => {
    const connection = connections++;
    const member = connect(Number(port), host);
    const reader = new FrameReader();
    const cut = () => {
      cuts++;
      client.end();
      member.destroy();
    };
    for (const socket of [client, member]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.end();
        member.destroy();
      });
    }
    client.on("data", (chunk) => member.write(chunk));
    member.on("data", (chunk: Buffer) => {
      for (const { bytes, frame } of reader.push(chunk)) {
        const fate = onFrame(frame, connection);
        if (fate !== "cut before") client.write(bytes);
        if (fate === "pass") continue;
        cut();
        return;
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cuts() {
      return cuts;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
