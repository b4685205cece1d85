import { asBuffer, concatBytes, emptyBytes, type Random } from "@conclave/base";
import { type CallMetadata, TransportError } from "@conclave/client";
import { GrpcStatus } from "@conclave/protocol";
import type { OutgoingFields, StreamReceiver, TransportStream } from "@conclave/rpc";
import type { FrontEnd, FrontEnds } from "./front-ends.ts";
import type { NetworkMachine } from "./simulated-network.ts";
import type { Wires } from "./wires.ts";

/** What calls are made over. */
export interface CallWorld {
  /** The wires between client and members. */
  readonly wires: Wires;
  /** Where the members are. */
  readonly frontEnds: FrontEnds;
  /** The machine of the client. */
  readonly machine: NetworkMachine;
  /** Decides what a partition looks like from the client. */
  readonly random: Pick<Random, "fraction">;
}

/** Who is to be called. */
export interface CallTarget {
  /** The member, as `m1:2379`. */
  readonly endpoint: string;
  /** The method. */
  readonly path: string;
  /** What goes along. */
  readonly metadata: CallMetadata;
}

/** What the client hears. */
export interface CallSink {
  /** A message. */
  onMessage(message: Uint8Array): void;
  /** The end; called once, and last. */
  onEnd(error: TransportError | undefined): void;
}

/** How long a client waits for a connection before the call fails as unsent. */
const connectTimeoutMs = 3_000;
/** How long the pings of a client take to find out that a connection is dead. */
const keepAliveMs = 15_000;
/** What stands before a message in a frame: a flag and the length. */
const prefixBytes = 5;

/**
 * One call of a client, over a connection that may break. The client's half lives on the client's machine and the
 * member's half on the member's: neither sees anything that did not travel over the wires.
 */
export class SimulatedCall {
  readonly #world: CallWorld;
  readonly #target: CallTarget;
  readonly #sink: CallSink;
  readonly #host: string;
  /** The member's half; undefined until the call has arrived. */
  #server: { readonly frontEnd: FrontEnd; readonly receiver: StreamReceiver; stream: ServerHalf } | undefined;
  /** What was lost is never made good, so that nothing after it may arrive either; the ends find out one by one. */
  #isBroken = false;
  #isOver = false;

  constructor(world: CallWorld, target: CallTarget, sink: CallSink) {
    this.#world = world;
    this.#target = target;
    this.#sink = sink;
    this.#host = world.frontEnds.machineOf(target.endpoint);
    this.#up(
      () => this.#arrive(),
      () => this.#unconnected(),
    );
  }

  /** Sends a message. */
  write(message: Uint8Array): void {
    if (this.#isOver) return;
    const frame = new Uint8Array(prefixBytes + message.length);
    new DataView(frame.buffer).setUint32(1, message.length);
    frame.set(message, prefixBytes);
    this.#up(() => this.#server?.receiver.onData(frame));
  }

  /** Says that no more messages follow. */
  halfClose(): void {
    if (!this.#isOver) this.#up(() => this.#server?.receiver.onEnd());
  }

  /** Ends the call; the sink hears nothing more, and the member hears that the client is gone. */
  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#up(() => this.#closeServer());
  }

  /** The member's machine is gone: the client notices at once, or by its pings if a partition lies between. */
  onServerGone(): void {
    this.#server = undefined;
    this.#down(() => this.#end(unavailable("the connection was reset", { sent: true })));
  }

  /** Sends to the member. What does not arrive breaks the connection. */
  #up(deliver: () => void, onLost = () => this.#break()): void {
    const { wires, machine } = this.#world;
    wires.send({
      from: machine.name,
      to: this.#host,
      isConnected: true,
      deliver: () => {
        const frontEnd = this.#world.frontEnds.find(this.#target.endpoint);
        if (this.#isBroken) return;
        if (frontEnd === undefined) this.#unserved();
        else frontEnd.time.deliver(deliver);
      },
      onLost,
    });
  }

  /** Sends to the client. */
  #down(deliver: () => void): void {
    const { wires, machine } = this.#world;
    const arrive = machine.time.bind(deliver);
    wires.send({
      from: this.#host,
      to: machine.name,
      isConnected: true,
      deliver: () => {
        if (!this.#isBroken) arrive();
      },
      onLost: () => this.#break(),
    });
  }

  #arrive(): void {
    const { frontEnds, machine } = this.#world;
    const frontEnd = frontEnds.find(this.#target.endpoint);
    if (frontEnd === undefined) return;
    const stream = new ServerHalf({
      onMessage: (message, onTaken) =>
        this.#down(() => {
          frontEnd.time.deliver(onTaken);
          if (!this.#isOver) this.#sink.onMessage(message);
        }),
      onEnd: (fields) => this.#down(() => this.#end(errorOf(fields))),
    });
    const { path, metadata } = this.#target;
    const headers = { ...metadata, ":path": path, ":method": "POST", "content-type": "application/grpc" };
    const receiver = frontEnd.dispatcher.accept(stream, { headers, peer: { address: machine.name } });
    stream.receiver = receiver;
    this.#server = { frontEnd, receiver, stream };
    frontEnd.calls.add(this);
  }

  /** Nobody listens at the endpoint. */
  #unserved(): void {
    if (this.#server === undefined) this.#down(() => this.#end(unavailable("connection refused", { sent: false })));
  }

  /** The first message did not come through: there is no connection, or one that nobody knows to be dead yet. */
  #unconnected(): void {
    const { machine, random } = this.#world;
    const sent = random.fraction() < 0.5;
    this.#isBroken = true;
    machine.time.after(sent ? keepAliveMs : connectTimeoutMs, () => this.#end(unavailable("no connection", { sent })));
  }

  /** The connection is lost; both ends find out. */
  #break(): void {
    const { machine } = this.#world;
    const server = this.#server;
    if (this.#isBroken) return;
    this.#isBroken = true;
    server?.frontEnd.time.after(keepAliveMs, () => this.#closeServer());
    machine.time.after(this.#world.random.fraction() * keepAliveMs, () =>
      this.#end(unavailable("the connection was lost", { sent: true })),
    );
  }

  #end(error: TransportError | undefined): void {
    const server = this.#server;
    server?.frontEnd.calls.delete(this);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.onEnd(error);
  }

  #closeServer(): void {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.frontEnd.calls.delete(this);
    server.receiver.onClose();
  }
}

interface ServerHalfOptions {
  readonly onMessage: (message: Uint8Array, onTaken: () => void) => void;
  readonly onEnd: (fields: OutgoingFields) => void;
}

/** The stream as the member's dispatcher sees it. */
class ServerHalf implements TransportStream {
  readonly #options: ServerHalfOptions;
  /** What was written of a message that is not whole yet. */
  #pending: Uint8Array = emptyBytes;
  receiver: StreamReceiver | undefined;
  bufferedBytes = 0;

  constructor(options: ServerHalfOptions) {
    this.#options = options;
  }

  respond(): void {
    // The client of the house reads no header fields, only what ends the call.
  }

  /** Takes a message, or a part of one: a large one comes in several. */
  write(bytes: Uint8Array): void {
    this.bufferedBytes += bytes.length;
    this.#pending = this.#pending.length === 0 ? bytes : concatBytes([this.#pending, bytes]);
    for (let end = messageEnd(this.#pending); end !== undefined; end = messageEnd(this.#pending)) {
      const frame = this.#pending.subarray(0, end);
      this.#pending = this.#pending.subarray(end);
      const message = new Uint8Array(frame.buffer, frame.byteOffset + prefixBytes, frame.length - prefixBytes);
      this.#options.onMessage(message, () => {
        this.bufferedBytes -= frame.length;
        if (this.bufferedBytes === 0) this.receiver?.onDrain();
      });
    }
  }

  end(trailers: OutgoingFields): void {
    this.#options.onEnd(trailers);
  }

  respondAll(_headers: OutgoingFields, frame: Uint8Array, trailers: OutgoingFields): void {
    this.write(frame);
    this.end(trailers);
  }

  reject(headers: OutgoingFields): void {
    this.end(headers);
  }

  pause(): void {
    // What a client of a simulation sends is little; it may wait at the member.
  }

  resume(): void {
    // See pause.
  }
}

/** Where the first message ends; undefined if it is not whole. */
function messageEnd(bytes: Uint8Array): number | undefined {
  if (bytes.length < prefixBytes) return undefined;
  const end = prefixBytes + asBuffer(bytes).readUInt32BE(1);
  return end <= bytes.length ? end : undefined;
}

function errorOf(fields: OutgoingFields): TransportError | undefined {
  const status = Number(fields["grpc-status"]) as GrpcStatus;
  if (status === GrpcStatus.Ok) return undefined;
  return new TransportError(status, decodeURIComponent(String(fields["grpc-message"] ?? "")));
}

function unavailable(what: string, options: { readonly sent: boolean }): TransportError {
  return new TransportError(GrpcStatus.Unavailable, what, options);
}
