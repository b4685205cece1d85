/**
 * @module The way of clients to simulated members: the transport port of the client, over wires that delay and break,
 * to the very services that answer behind gRPC in production.
 */

import {
  type ClientStream,
  type ClientTransport,
  onAbort,
  type StreamCall,
  type StreamSink,
  TransportError,
  type UnaryCall,
} from "@conclave/client";
import { GrpcStatus } from "@conclave/protocol";
import { type CallWorld, SimulatedCall } from "./simulated-call.ts";

/** Makes the transport of a client on one machine. */
export function simulatedTransport(world: CallWorld): ClientTransport {
  let isClosed = false;
  return {
    unary: (call) => (isClosed ? Promise.reject(closedError()) : unary(world, call)),
    stream: (call, sink) => openStream(world, call, { sink, isClosed }),
    close() {
      isClosed = true;
    },
  };
}

function closedError(): TransportError {
  return new TransportError(GrpcStatus.Unavailable, "the transport is closed", { sent: false });
}

function canceled(sent: boolean): TransportError {
  return new TransportError(GrpcStatus.Canceled, "canceled", { sent });
}

function unary(world: CallWorld, call: UnaryCall): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (call.signal.aborted) {
      reject(canceled(false));
      return;
    }
    let response: Uint8Array | undefined;
    const running = new SimulatedCall(world, call, {
      onMessage(message) {
        response = message;
      },
      onEnd(error) {
        unlisten();
        if (error !== undefined) reject(error);
        else if (response === undefined) reject(new TransportError(GrpcStatus.Internal, "no response"));
        else resolve(response);
      },
    });
    const unlisten = onAbort(call.signal, () => {
      running.cancel();
      reject(canceled(true));
    });
    running.write(call.request);
    running.halfClose();
  });
}

interface Outlet {
  readonly sink: StreamSink;
  readonly isClosed: boolean;
}

function openStream(world: CallWorld, call: StreamCall, { sink, isClosed }: Outlet): ClientStream {
  if (isClosed) {
    world.machine.time.after(0, () => sink.onEnd(closedError()));
    return { write() {}, halfClose() {}, cancel() {}, pause() {}, resume() {} };
  }
  const gate = new Gate(world, sink);
  const running = new SimulatedCall(world, call, gate);
  return {
    write: (message) => running.write(message),
    halfClose: () => running.halfClose(),
    cancel() {
      gate.shut();
      running.cancel();
    },
    pause: () => gate.pause(),
    resume: () => gate.resume(),
  };
}

/** Keeps what arrives while the client has paused the stream. */
class Gate implements StreamSink {
  readonly #world: CallWorld;
  readonly #sink: StreamSink;
  #waiting: (() => void)[] | undefined;
  #isShut = false;

  constructor(world: CallWorld, sink: StreamSink) {
    this.#world = world;
    this.#sink = sink;
  }

  onMessage(message: Uint8Array): void {
    this.#pass(() => this.#sink.onMessage(message));
  }

  onEnd(error: TransportError | undefined): void {
    this.#pass(() => this.#sink.onEnd(error));
  }

  pause(): void {
    this.#waiting ??= [];
  }

  resume(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#world.machine.time.after(0, () => {
      if (this.#waiting !== waiting) return;
      this.#waiting = undefined;
      for (const pass of waiting) this.#pass(pass);
    });
  }

  shut(): void {
    this.#isShut = true;
  }

  #pass(pass: () => void): void {
    if (this.#isShut) return;
    if (this.#waiting === undefined) pass();
    else this.#waiting.push(pass);
  }
}
