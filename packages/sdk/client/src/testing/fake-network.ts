/** @module A network in memory: members are objects, connections fail on command, and every call is on record. */
import { GrpcStatus } from "@conclave/protocol";
import { onAbort } from "../on-abort.ts";
import {
  type CallMetadata,
  type ClientStream,
  type ClientTransport,
  type StreamCall,
  type StreamSink,
  TransportError,
  type UnaryCall,
} from "../transport/transport.ts";

/** A member's end of a stream. */
export class FakeStream {
  readonly path: string;
  readonly endpoint: string;
  readonly metadata: CallMetadata;
  /** Called with every request; requests before it is set wait. */
  onRequest: (request: Uint8Array) => void = (request) => this.#early.push(request);
  /** Called when the client has gone. */
  onCancel: () => void = () => {};
  readonly #sink: StreamSink;
  readonly #early: Uint8Array[] = [];
  readonly #held: Uint8Array[] = [];
  #ending: { readonly error: TransportError | undefined } | undefined;
  #paused = false;
  #open = true;

  constructor(call: StreamCall, sink: StreamSink) {
    this.path = call.path;
    this.endpoint = call.endpoint;
    this.metadata = call.metadata;
    this.#sink = sink;
  }

  get open(): boolean {
    return this.#open;
  }

  /** How many messages wait for the client to take them. */
  get heldBack(): number {
    return this.#held.length;
  }

  send(message: Uint8Array): void {
    this.#held.push(message);
    this.#flush();
  }

  /** Ends the stream after what was sent. */
  end(error?: TransportError): void {
    this.#ending = { error };
    this.#flush();
  }

  #flush(): void {
    while (this.#open && !this.#paused) {
      const message = this.#held.shift();
      if (message === undefined) break;
      this.#sink.onMessage(message);
    }
    if (!this.#open || this.#ending === undefined || this.#held.length > 0) return;
    this.#open = false;
    this.#sink.onEnd(this.#ending.error);
  }

  clientEnd(): ClientStream {
    return {
      write: (message) => {
        if (this.#open) this.onRequest(message);
      },
      halfClose: () => {},
      cancel: () => {
        this.#open = false;
        this.onCancel();
      },
      pause: () => {
        this.#paused = true;
      },
      resume: () => {
        this.#paused = false;
        this.#flush();
      },
    };
  }
}

/** What a member does with calls. */
export interface FakeMember {
  /** Answers a call, or throws a TransportError. */
  unary(call: UnaryCall): Promise<Uint8Array> | Uint8Array;
  /** Serves a stream. */
  stream(stream: FakeStream): void;
}

/** How the network treats a member: a silent one takes what is sent, one that is cut off not even that. */
export type Reachability = "up" | "refuses" | "silent" | "cut off";

/** The error of a connection that broke. */
export function connectionLost(): TransportError {
  return new TransportError(GrpcStatus.Unavailable, "Connection dropped");
}

/** A transport to members in memory. */
export class FakeNetwork implements ClientTransport {
  readonly members = new Map<string, FakeMember>();
  readonly reachability = new Map<string, Reachability>();
  /** Every unary call, in order. */
  readonly calls: UnaryCall[] = [];
  /** Every stream, in order. */
  readonly streams: FakeStream[] = [];
  closed = false;

  async unary(call: UnaryCall): Promise<Uint8Array> {
    this.calls.push(call);
    const state = this.reachability.get(call.endpoint) ?? "up";
    if (state === "refuses") throw refused(call.endpoint);
    const answer =
      state === "up" ? Promise.resolve(this.#member(call.endpoint).unary(call)) : new Promise<never>(() => {});
    return await new Promise((resolve, reject) => {
      answer.then(resolve, reject);
      const sent = state !== "cut off";
      onAbort(call.signal, () => reject(new TransportError(GrpcStatus.Canceled, "canceled", { sent })));
    });
  }

  stream(call: StreamCall, sink: StreamSink): ClientStream {
    const stream = new FakeStream(call, sink);
    this.streams.push(stream);
    const state = this.reachability.get(call.endpoint) ?? "up";
    if (state === "refuses") queueMicrotask(() => stream.end(refused(call.endpoint)));
    if (state === "up") this.#member(call.endpoint).stream(stream);
    return stream.clientEnd();
  }

  close(): void {
    this.closed = true;
  }

  /** The members' streams of a method that are open. */
  openStreams(path: string): readonly FakeStream[] {
    return this.streams.filter((stream) => stream.open && stream.path === path);
  }

  #member(endpoint: string): FakeMember {
    const member = this.members.get(endpoint);
    if (member === undefined) throw new Error(`no such member: ${endpoint}`);
    return member;
  }
}

function refused(endpoint: string): TransportError {
  return new TransportError(
    GrpcStatus.Unavailable,
    `No connection established. Last error: connect ECONNREFUSED ${endpoint}`,
    {
      sent: false,
    },
  );
}
