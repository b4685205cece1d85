import { utf8, utf8Text } from "@conclave/base";
import type { OutgoingDatabase, PeerIdentity, PeerReceiver, PeerTransport } from "@conclave/peer";
import { WireError } from "@conclave/protocol";
import { createMessage, type Message } from "@conclave/raft";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../seeded-random.ts";
import { type VirtualTime, virtualTime } from "../virtual-time.ts";
import { MachineTime } from "./machine-time.ts";
import { SimulatedNetwork } from "./simulated-network.ts";
import { goodLink, type LinkSettings, Wires } from "./wires.ts";

const message = (from: bigint, to: bigint, index = 0): Message =>
  createMessage({ type: "MsgHeartbeat", to, from }, { term: 1, index });

const url = (name: string) => `http://${name}:2380`;

interface Station {
  readonly time: MachineTime;
  readonly transport: PeerTransport;
  readonly heard: string[];
  readonly network: ReturnType<SimulatedNetwork["attach"]>;
}

/** A receiver that writes down what it hears. */
function listener(heard: string[], more: Partial<PeerReceiver>): PeerReceiver {
  return {
    onMessage: ({ from, index }) => heard.push(`${from}: ${index}`),
    async onSnapshot(_message, database) {
      let text = "";
      for await (const piece of database) text += utf8Text(piece);
      heard.push(`snapshot ${text}`);
    },
    onUnreachable: (id) => heard.push(`unreachable ${id}`),
    onSnapshotStatus: (id, status) => heard.push(`snapshot to ${id}: ${status}`),
    onRemoved: () => heard.push("removed"),
    wasRemoved: () => false,
    members: () => [],
    version: () => ({ server: "3.6.0", cluster: "3.6.0" }),
    downgrading: () => false,
    promote: async () => [],
    renewLease: async (id) => Number(id),
    leaseTimeToLive: async () => Promise.reject(new WireError("LeaseNotFound")),
    hashKv: async () => Promise.reject(new WireError("Compacted")),
    ...more,
  };
}

class World {
  readonly time: VirtualTime = virtualTime(1);
  readonly wires: Wires;
  readonly network: SimulatedNetwork;

  constructor(link: Partial<LinkSettings> = {}, interruption = 0) {
    this.wires = new Wires({ time: this.time, random: seededRandom(1), settings: { ...goodLink, ...link } });
    this.network = new SimulatedNetwork({ wires: this.wires, random: seededRandom(2), interruption });
  }

  async station(name: string, memberId: bigint, more: Partial<PeerReceiver & PeerIdentity> = {}): Promise<Station> {
    const time = new MachineTime(this.time);
    const heard: string[] = [];
    const network = this.network.attach({ name, time }, [url(name)]);
    const identity = { memberId, clusterId: more.clusterId ?? 9n, peerUrls: [url(name)] };
    const transport = await network.open(identity, listener(heard, more));
    return { time, transport, heard, network };
  }
}

function database(text: string, onRelease: () => void = () => {}): OutgoingDatabase {
  return {
    sizeBytes: text.length,
    async *read() {
      for (const letter of text) yield utf8(letter);
    },
    release: async () => onRelease(),
  };
}

describe("SimulatedNetwork", () => {
  it("brings messages to the member that they are for, and to nobody else at its address", async () => {
    const world = new World();
    const a = await world.station("a", 1n);
    const b = await world.station("b", 2n);
    a.transport.addPeer(2n, [url("b")]);
    a.transport.addPeer(3n, [url("b")]);
    a.transport.send([message(1n, 2n, 5), message(1n, 3n), message(1n, 4n)]);
    await world.time.advance(100);
    expect(b.heard).toEqual(["1: 5"]);
    expect(a.heard).toEqual(["unreachable 3"]);
  });

  it("drops what comes from another cluster", async () => {
    const world = new World();
    const a = await world.station("a", 1n, { clusterId: 8n });
    const b = await world.station("b", 2n);
    a.transport.addPeer(2n, [url("b")]);
    a.transport.send([message(1n, 2n)]);
    await world.time.advance(100);
    expect([a.heard, b.heard]).toEqual([[], []]);
  });

  it("tells a member that was removed, when it speaks to one that knows", async () => {
    const world = new World();
    const a = await world.station("a", 1n);
    const b = await world.station("b", 2n, { wasRemoved: (id) => id === 1n });
    a.transport.addPeer(2n, [url("b")]);
    a.transport.send([message(1n, 2n)]);
    await world.time.advance(100);
    expect(new Set(a.heard)).toEqual(new Set(["removed"]));
    expect(b.heard).toEqual([]);
  });

  it("tells a member that was removed also if it has nothing to say", async () => {
    const world = new World();
    const a = await world.station("a", 1n);
    await world.station("b", 2n, { wasRemoved: (id) => id === 1n });
    a.transport.addPeer(2n, [url("b")]);
    await world.time.advance(100);
    expect(a.heard).toEqual(["removed"]);
  });

  it("keeps what arrives at a stopped machine until it runs again, and loses it with the power", async () => {
    const world = new World();
    const a = await world.station("a", 1n);
    const b = await world.station("b", 2n);
    a.transport.addPeer(2n, [url("b")]);
    b.time.pause();
    a.transport.send([message(1n, 2n, 1)]);
    await world.time.advance(100);
    expect(b.heard).toEqual([]);
    b.time.resume();
    await world.time.advance(1);
    expect(b.heard).toEqual(["1: 1"]);
    a.transport.send([message(1n, 2n, 2)]);
    b.time.kill();
    world.network.detach("b");
    await world.time.advance(100);
    expect(b.heard).toEqual(["1: 1"]);
    expect(a.heard).toEqual(["unreachable 2"]);
  });

  it("says since when a member is connected, in the asker's time, and that it is not in a partition", async () => {
    const world = new World();
    const a = await world.station("a", 1n);
    a.transport.addPeer(2n, [url("b")]);
    expect(a.transport.activeSince(2n)).toBeUndefined();
    await world.time.advance(50);
    await world.station("b", 2n);
    await world.time.advance(50);
    expect(a.transport.activeSince(2n)).toBe(50);
    world.wires.block({ from: "b", to: "a" });
    expect(a.transport.activeSince(2n)).toBeUndefined();
    await world.time.advance(50);
    world.wires.unblockAll();
    expect(a.transport.activeSince(2n)).toBe(150);
  });

  it("answers calls, with the errors of the protocol too, and asks the next URL if one does not answer", async () => {
    const world = new World();
    const a = await world.station("a", 1n);
    await world.station("b", 2n);
    const call = { urls: [url("nobody"), url("b")], timeoutMs: 1_000 };
    expect(await world.time.complete(a.network.renewLease(call, 7n))).toBe(7);
    const request = { ID: 1n, keys: false };
    await expect(world.time.complete(a.network.leaseTimeToLive(call, request))).rejects.toMatchObject({
      code: "LeaseNotFound",
    });
    const hash = a.network.hashKv(call, { revision: 1, clusterId: 1n });
    await expect(world.time.complete(hash)).rejects.toMatchObject({ name: "PeerError", code: "REFUSED" });
  });

  it("gives up on a call that a partition swallows when its time is over", async () => {
    const world = new World();
    const a = await world.station("a", 1n);
    await world.station("b", 2n);
    world.wires.block({ from: "b", to: "a" });
    const call = a.network.renewLease({ urls: [url("b")], timeoutMs: 1_000 }, 7n);
    await expect(world.time.complete(call)).rejects.toMatchObject({ name: "PeerError", code: "UNREACHABLE" });
    expect(world.time.monotonicMs()).toBe(1_000);
  });

  it("sends a snapshot piece by piece at the speed of the link, and tells how it ended", async () => {
    const world = new World({ bytesPerMs: 0.1 });
    const a = await world.station("a", 1n);
    const b = await world.station("b", 2n);
    a.transport.addPeer(2n, [url("b")]);
    let released = 0;
    a.transport.sendSnapshot(
      message(1n, 2n),
      database("snapshot", () => released++),
    );
    await world.time.advance(79);
    expect(b.heard).toEqual([]);
    await world.time.advance(20);
    expect(b.heard).toEqual(["snapshot snapshot"]);
    expect(a.heard).toEqual(["snapshot to 2: finish"]);
    expect(released).toBe(1);
  });

  it.each([
    ["breaks off", (_world: World) => {}, 1],
    ["meets a partition", (world: World) => world.wires.block({ from: "a", to: "b" }), 0],
    ["loses its receiver", (world: World) => world.network.detach("b"), 0],
  ])("tells both ends that a snapshot failed which %s", async (_name, happen, interruption) => {
    const world = new World({ bytesPerMs: 0.1 }, interruption);
    const a = await world.station("a", 1n);
    const b = await world.station("b", 2n, {
      async onSnapshot(_message, pieces) {
        for await (const _piece of pieces);
        expect.unreachable("it is not whole");
      },
    });
    a.transport.addPeer(2n, [url("b")]);
    let released = 0;
    a.transport.sendSnapshot(
      message(1n, 2n),
      database("snapshot", () => released++),
    );
    await world.time.advance(30);
    happen(world);
    if (interruption === 0) b.time.kill();
    await world.time.advance(60_000);
    expect(a.heard).toEqual(["snapshot to 2: failure"]);
    expect(released).toBe(1);
  });

  it("carries no more after it was closed", async () => {
    const world = new World();
    const a = await world.station("a", 1n);
    const b = await world.station("b", 2n);
    a.transport.addPeer(2n, [url("b")]);
    b.transport.addPeer(1n, [url("a")]);
    await a.transport.close();
    a.transport.send([message(1n, 2n)]);
    b.transport.send([message(2n, 1n)]);
    await world.time.advance(100);
    expect(b.heard).toEqual(["unreachable 1"]);
  });
});
