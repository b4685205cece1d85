/**
 * @module Calls of gRPC over HTTP/2 framed by hand, for generators that must not be slower than what they measure. Only
 * what they need: the server is one of ours or an etcd, so it keeps to the protocol, and what is under way never fills
 * the windows that a server gives.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Codec } from "@conclave/protocol";

const windowBytes = 2 ** 31 - 1;
/** Bytes taken after which the server is told that it may send as many again. */
const creditBytes = 16 * 1024 * 1024;
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const frameHeadBytes = 9;
const messageHeadBytes = 5;

const kinds = { data: 0, headers: 1, rstStream: 3, settings: 4, ping: 6, goaway: 7, windowUpdate: 8 } as const;
const endStream = 0x1;
const endHeaders = 0x4;
const ack = 0x1;

/** Takes each message of a call as bytes, valid until the call returns. */
export type OnMessage = (bytes: Buffer) => void;

/** A call whose sides both stream. */
export interface GrpcStream {
  /** Sends a request. */
  send(message: Uint8Array): void;
}

/** What arrives on a stream. */
interface Receiver {
  readonly onMessage: OnMessage;
  readonly onEnd: () => void;
  /** What there is of a message that has not arrived whole. */
  rest: Buffer;
  takenBytes: number;
}

/** A connection. */
export class Session {
  readonly #socket: Socket;
  readonly #authority: string;
  readonly #streams = new Map<number, Receiver>();
  #rest: Buffer = Buffer.alloc(0);
  #nextStreamId = 1;
  #takenBytes = 0;

  constructor(socket: Socket, authority: string) {
    this.#socket = socket;
    this.#authority = authority;
    const settings = Buffer.alloc(6);
    settings.writeUInt16BE(4);
    settings.writeUInt32BE(windowBytes, 2);
    socket.write(preface);
    this.#send({ kind: kinds.settings, flags: 0, streamId: 0, payload: settings });
    this.#send(windowUpdate(0, windowBytes - 65_535));
    socket.on("data", (bytes: Buffer) => this.#onBytes(bytes));
  }

  /** Opens a stream. */
  open(path: string, receiver: Pick<Receiver, "onMessage" | "onEnd">): (message: Uint8Array, isLast: boolean) => void {
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    this.#streams.set(streamId, { ...receiver, rest: Buffer.alloc(0), takenBytes: 0 });
    const payload = requestFields(this.#authority, path);
    this.#send({ kind: kinds.headers, flags: endHeaders, streamId, payload });
    return (message, isLast) =>
      this.#send({ kind: kinds.data, flags: isLast ? endStream : 0, streamId, payload: frame(message) });
  }

  /** Ends the connection. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Everything of one turn is written at once. */
  #send({ kind, flags, streamId, payload }: OutgoingFrame): void {
    const head = Buffer.alloc(frameHeadBytes);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = kind;
    head[4] = flags;
    head.writeUInt32BE(streamId, 5);
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork();
      process.nextTick(() => this.#socket.uncork());
    }
    this.#socket.write(head);
    this.#socket.write(payload);
  }

  #onBytes(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length >= at + frameHeadBytes) {
      const end = at + frameHeadBytes + bytes.readUIntBE(at, 3);
      if (bytes.length < end) break;
      this.#onFrame(bytes.subarray(at, end));
      at = end;
    }
    this.#rest = bytes.subarray(at);
  }

  #onFrame(bytes: Buffer): void {
    const kind = bytes[3];
    const flags = bytes[4] ?? 0;
    const streamId = bytes.readUInt32BE(5);
    const payload = bytes.subarray(frameHeadBytes);
    if (kind === kinds.data) this.#onData(streamId, payload);
    else if (kind === kinds.settings && (flags & ack) === 0)
      this.#send({ kind: kinds.settings, flags: ack, streamId: 0, payload: Buffer.alloc(0) });
    else if (kind === kinds.ping && (flags & ack) === 0)
      this.#send({ kind: kinds.ping, flags: ack, streamId: 0, payload: Buffer.from(payload) });
    else if (kind === kinds.goaway) throw new Error(`The server ends the connection: ${payload.toString("latin1")}`);
    if (kind === kinds.rstStream || ((flags & endStream) !== 0 && (kind === kinds.data || kind === kinds.headers)))
      this.#onEnd(streamId);
  }

  #onData(streamId: number, payload: Buffer): void {
    const receiver = this.#streams.get(streamId);
    if (receiver === undefined) return;
    readMessages(receiver, payload);
    this.#takenBytes += payload.length;
    receiver.takenBytes += payload.length;
    if (this.#takenBytes >= creditBytes) {
      this.#send(windowUpdate(0, this.#takenBytes));
      this.#takenBytes = 0;
    }
    if (receiver.takenBytes < creditBytes) return;
    this.#send(windowUpdate(streamId, receiver.takenBytes));
    receiver.takenBytes = 0;
  }

  #onEnd(streamId: number): void {
    const receiver = this.#streams.get(streamId);
    this.#streams.delete(streamId);
    receiver?.onEnd();
  }
}

interface OutgoingFrame {
  readonly kind: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Uint8Array;
}

function windowUpdate(streamId: number, bytes: number): OutgoingFrame {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return { kind: kinds.windowUpdate, flags: 0, streamId, payload };
}

/** Header fields, each a literal that is not to be remembered (RFC 7541 §6.2.2). */
function requestFields(authority: string, path: string): Buffer {
  const fields = [
    [":method", "POST"],
    [":scheme", "http"],
    [":authority", authority],
    [":path", path],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ] as const;
  const literal = (text: string): Buffer => Buffer.from([text.length, ...Buffer.from(text)]);
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.alloc(1), literal(name), literal(value)]));
}

function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(messageHeadBytes + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, messageHeadBytes);
  return framed;
}

function readMessages(receiver: Receiver, payload: Buffer): void {
  const bytes = receiver.rest.length === 0 ? payload : Buffer.concat([receiver.rest, payload]);
  let at = 0;
  while (bytes.length >= at + messageHeadBytes) {
    const end = at + messageHeadBytes + bytes.readUInt32BE(at + 1);
    if (bytes.length < end) break;
    receiver.onMessage(bytes.subarray(at + messageHeadBytes, end));
    at = end;
  }
  receiver.rest = bytes.subarray(at);
}

/** Opens a connection that lets the server send ahead. */
export async function openSession(url: string): Promise<Session> {
  const { hostname, port, host } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, "connect");
  return new Session(socket, host);
}

/** Opens a stream, which the server must not end. */
export function openStream(
  session: Session,
  { path, onMessage }: { readonly path: string; readonly onMessage: OnMessage },
): GrpcStream {
  const onEnd = (): void => {
    throw new Error(`The server has ended a stream of ${path}`);
  };
  const send = session.open(path, { onMessage, onEnd });
  return { send: (message) => send(message, false) };
}

/** Makes a call of one request and one response. */
export function callOnce(session: Session, path: string, message: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let answer: Buffer | undefined;
    const send = session.open(path, {
      onMessage: (bytes) => {
        answer = Buffer.from(bytes);
      },
      onEnd: () => (answer === undefined ? reject(new Error(`A call of ${path} failed`)) : resolve(answer)),
    });
    send(message, true);
  });
}

/** The bytes of a message. */
export function encode<Message>(codec: Codec<Message>, message: Message): Uint8Array {
  return codec.encode(message).finish();
}
