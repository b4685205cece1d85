import { utf8, utf8Text } from "@conclave/base";
import type { StreamSink, TransportError } from "@conclave/client";
import { WireError } from "@conclave/protocol";
import {
  KVDefinition,
  PutRequest,
  PutResponse,
  WatchDefinition,
  WatchRequest,
  WatchResponse,
} from "@conclave/protocol/etcdserverpb";
import { bindService, type ServerCall, unimplemented } from "@conclave/rpc";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../seeded-random.ts";
import { type VirtualTime, virtualTime } from "../virtual-time.ts";
import { FrontEnds } from "./front-ends.ts";
import { MachineTime } from "./machine-time.ts";
import { simulatedTransport } from "./simulated-transport.ts";
import { type Route, Wires } from "./wires.ts";

const endpoint = "10.0.0.1:2379";
const there: Route = { from: "client", to: "member" };
const back: Route = { from: "member", to: "client" };

/** A client and a member that answers a put with the revision 7 and each watch request with as many responses as its id. */
class World {
  readonly time: VirtualTime = virtualTime(1);
  readonly wires = new Wires({ time: this.time, random: seededRandom(1) });
  readonly frontEnds = new FrontEnds((error) => this.faults.push(error));
  readonly faults: unknown[] = [];
  readonly client = { name: "client", time: new MachineTime(this.time) };
  readonly member = { name: "member", time: new MachineTime(this.time) };
  readonly transport = simulatedTransport({
    wires: this.wires,
    frontEnds: this.frontEnds,
    machine: this.client,
    random: { fraction: () => this.fraction },
  });
  /** What a draw of the transport comes to. */
  fraction = 0;
  readonly calls: ServerCall[] = [];
  readonly heard: string[] = [];

  constructor() {
    this.frontEnds.place(endpoint, "member");
  }

  serve(): void {
    const { calls } = this;
    const kv = bindService(KVDefinition, {
      range: unimplemented,
      rangeStream: unimplemented,
      deleteRange: unimplemented,
      txn: unimplemented,
      compact: unimplemented,
      async put(request, call) {
        calls.push(call);
        const key = utf8Text(request.key);
        if (key === "refused") throw new WireError("NoSpace");
        if (key === "silent") await new Promise(() => {});
        return PutResponse.fromPartial({ header: { revision: 7 } });
      },
    });
    const watch = bindService(WatchDefinition, {
      async watch(requests, responses, call) {
        calls.push(call);
        await requests.forEach((request) => {
          const count =
            request.requestUnion?.$case === "cancelRequest" ? Number(request.requestUnion.value.watchId) : 0;
          for (let at = 0; at < count; at++) responses.write(WatchResponse.fromPartial({ watchId: BigInt(at) }));
        });
      },
    });
    this.frontEnds.serve(endpoint, this.member, [kv, watch]);
  }

  put(key: string, signal: AbortSignal = new AbortController().signal): Promise<number | undefined> {
    const request = PutRequest.encode(PutRequest.fromPartial({ key: utf8(key) })).finish();
    const call = { endpoint, path: "/etcdserverpb.KV/Put", request, metadata: {}, timeoutMs: 1_000, signal };
    return this.transport.unary(call).then((bytes) => PutResponse.decode(bytes).header?.revision);
  }

  watch() {
    const sink: StreamSink = {
      onMessage: (bytes) => this.heard.push(`${WatchResponse.decode(bytes).watchId}`),
      onEnd: (error) => this.heard.push(error === undefined ? "end" : outcomeOf(error)),
    };
    const stream = this.transport.stream({ endpoint, path: "/etcdserverpb.Watch/Watch", metadata: {} }, sink);
    const ask = (count: number) =>
      stream.write(
        WatchRequest.encode(
          WatchRequest.fromPartial({ requestUnion: { $case: "cancelRequest", value: { watchId: BigInt(count) } } }),
        ).finish(),
      );
    return { ...stream, ask };
  }

  /** What becomes of a call. */
  outcome(call: Promise<unknown>): Promise<string> {
    return this.time.complete(
      call.then(String, (error: TransportError) => outcomeOf(error)),
      60_000,
    );
  }
}

function outcomeOf({ message, sent }: TransportError): string {
  return `${message} (${sent ? "sent" : "unsent"})`;
}

describe("simulatedTransport()", () => {
  it("brings a request to the member's handler and the answer back, in the time that the wires take", async () => {
    const world = new World();
    world.serve();
    expect(await world.outcome(world.put("key"))).toBe("7");
    expect(world.time.monotonicMs()).toBeGreaterThan(0.4);
    expect(world.calls[0]).toMatchObject({ path: "/etcdserverpb.KV/Put", peer: { address: "client" } });
  });

  it("brings the errors of the protocol with status and text", async () => {
    const world = new World();
    world.serve();
    const { message, status } = new WireError("NoSpace");
    await expect(world.time.complete(world.put("refused"))).rejects.toMatchObject({ message, status, sent: true });
  });

  it("says that a call never left where nobody listens", async () => {
    const world = new World();
    expect(await world.outcome(world.put("key"))).toBe("connection refused (unsent)");
    world.serve();
    world.frontEnds.close(endpoint);
    expect(await world.outcome(world.put("key"))).toBe("connection refused (unsent)");
  });

  it.each([
    [0.9, 3_000, "no connection (unsent)"],
    [0.1, 15_000, "no connection (sent)"],
  ])("takes its time to find out that a partition lies in between (draw %d)", async (fraction, afterMs, outcome) => {
    const world = new World();
    world.serve();
    world.fraction = fraction;
    world.wires.block(there);
    expect(await world.outcome(world.put("key"))).toBe(outcome);
    expect(world.time.monotonicMs()).toBeGreaterThan(afterMs);
  });

  it("cannot tell what became of a request whose answer met a partition", async () => {
    const world = new World();
    world.serve();
    world.fraction = 0.5;
    world.wires.block(back);
    expect(await world.outcome(world.put("key"))).toBe("the connection was lost (sent)");
    expect(world.calls.length).toBe(1);
  });

  it("breaks the calls of a machine that loses its power", async () => {
    const world = new World();
    world.serve();
    const call = world.put("silent");
    await world.time.advance(10);
    world.member.time.kill();
    world.frontEnds.withdraw(endpoint);
    expect(await world.outcome(call)).toBe("the connection was reset (sent)");
  });

  it("ends a call that its caller aborts, on both ends", async () => {
    const world = new World();
    world.serve();
    const controller = new AbortController();
    const call = world.put("silent", controller.signal);
    await world.time.advance(10);
    const { signal } = world.calls[0] as ServerCall;
    controller.abort();
    expect(await world.outcome(call)).toBe("canceled (sent)");
    await world.time.advance(10);
    expect(signal.aborted).toBe(true);
    expect(await world.outcome(world.put("key", controller.signal))).toBe("canceled (unsent)");
  });

  it("carries streams both ways, in order, to their end", async () => {
    const world = new World();
    world.serve();
    const stream = world.watch();
    stream.ask(3);
    stream.ask(2);
    stream.halfClose();
    await world.time.advance(100);
    expect(world.heard).toEqual(["0", "1", "2", "0", "1", "end"]);
  });

  it("keeps what a paused stream is sent until it goes on, and its end too", async () => {
    const world = new World();
    world.serve();
    const stream = world.watch();
    stream.pause();
    stream.ask(2);
    stream.halfClose();
    await world.time.advance(100);
    expect(world.heard).toEqual([]);
    stream.resume();
    expect(world.heard).toEqual([]);
    await world.time.advance(1);
    expect(world.heard).toEqual(["0", "1", "end"]);
  });

  it("says nothing more of a stream that was canceled, and the member hears that its client is gone", async () => {
    const world = new World();
    world.serve();
    const stream = world.watch();
    await world.time.advance(10);
    stream.ask(2);
    const { signal } = world.calls[0] as ServerCall;
    stream.cancel();
    await world.time.advance(10);
    expect(world.heard).toEqual([]);
    expect(signal.aborted).toBe(true);
  });

  it("ends the streams of a member that stops with its words", async () => {
    const world = new World();
    world.serve();
    world.watch();
    await world.time.advance(10);
    world.frontEnds.close(endpoint);
    await world.time.advance(10);
    expect(world.heard).toEqual([`${new WireError("Stopped").message} (sent)`]);
  });

  it("tells both ends of a stream that its connection broke", async () => {
    const world = new World();
    world.serve();
    const stream = world.watch();
    await world.time.advance(10);
    const { signal } = world.calls[0] as ServerCall;
    world.wires.block(there);
    stream.ask(1);
    await world.time.advance(60_000);
    expect(world.heard).toEqual(["the connection was lost (sent)"]);
    expect(signal.aborted).toBe(true);
  });

  it("lets what arrives wait while the client's machine is stopped", async () => {
    const world = new World();
    world.serve();
    let answer: number | undefined;
    void world.put("key").then((revision) => {
      answer = revision;
    });
    world.client.time.pause();
    await world.time.advance(100);
    expect(answer).toBeUndefined();
    world.client.time.resume();
    await world.time.advance(1);
    expect(answer).toBe(7);
  });

  it("carries nothing more after it was closed", async () => {
    const world = new World();
    world.serve();
    world.transport.close();
    expect(await world.outcome(world.put("key"))).toBe("the transport is closed (unsent)");
    world.watch();
    expect(world.heard).toEqual([]);
    await world.time.advance(1);
    expect(world.heard).toEqual(["the transport is closed (unsent)"]);
  });
});
