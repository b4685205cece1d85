/** How members find, lose and refuse each other. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { connect, introduce, type TestMember, testClusterId, testMember, testMessage } from "./testing/test-member.ts";

const heartbeat = testMessage({ type: "MsgHeartbeat", from: 1n, to: 2n, term: 1 });

/** Warnings, as `message: cause`. */
function warnings({ log }: TestMember): readonly string[] {
  return log.filter(({ level }) => level === "warn").map(({ message, fields }) => `${message}: ${fields.cause}`);
}

/** A member of our own making: every request is answered by a test. */
async function fakeMember(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly url: string; readonly server: Server } & AsyncDisposable> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** The head of a request of a real member, and of a stream. */
const requestHead = {
  "X-Server-From": "2",
  "X-Server-Version": "3.6.0",
  "X-Min-Cluster-Version": "3.0.0",
  "X-Etcd-Cluster-ID": testClusterId.toString(16),
};

const streamHead = { "X-Server-Version": "3.6.0", "X-Etcd-Cluster-ID": testClusterId.toString(16) };

describe("a member that goes and comes back", () => {
  it("is told to be lost once, is dialled again, and messages flow again", async () => {
    await using one = await testMember({ id: 1n });
    const two = await testMember({ id: 2n });
    const listenUrl = two.url;
    const heard = () => one.log.filter(({ message }) => message === "hears a peer").length;
    await connect(one, two);
    await one.until(() => heard() === 1);
    await two.transport.close();
    await one.until(() => one.transport.activeSince(2n) === undefined);
    await using again = await testMember({ id: 2n, listenUrl });
    again.transport.addPeer(1n, [one.url]);
    await one.until(() => one.transport.activeSince(2n) !== undefined);
    await again.until(() => again.transport.activeSince(1n) !== undefined);
    one.transport.send([heartbeat]);
    await again.until(() => again.messages.length === 1);
    await one.until(() => heard() === 2);
    const causes = warnings(one);
    expect(causes.length).toBeGreaterThan(0);
    expect(new Set(causes).size).toBe(causes.length);
  });

  it("is found at its new URL", async () => {
    await using one = await testMember({ id: 1n });
    await using two = await testMember({ id: 2n });
    one.transport.addPeer(2n, ["http://127.0.0.1:1"]);
    two.transport.addPeer(1n, [one.url]);
    await one.until(() => warnings(one).length > 0);
    one.transport.updatePeer(2n, [two.url]);
    await one.until(() => one.transport.activeSince(2n) !== undefined);
  });

  it("is found at the second of its URLs", async () => {
    await using one = await testMember({ id: 1n });
    await using two = await testMember({ id: 2n });
    two.transport.addPeer(1n, [one.url]);
    one.transport.addPeer(2n, ["http://127.0.0.1:1", two.url]);
    await one.until(() => one.transport.activeSince(2n) !== undefined);
  });

  it("gets a new stream when it dials again, and the old one ends", async () => {
    await using one = await testMember({ id: 1n });
    one.transport.addPeer(2n, ["http://127.0.0.1:1"]);
    const dial = () => fetch(`${one.url}/raft/stream/message/2`, { headers: { ...requestHead, "X-Raft-To": "1" } });
    const old = await dial();
    await using two = await testMember({ id: 2n });
    two.transport.addPeer(1n, [one.url]);
    await expect(old.text()).rejects.toThrow();
    await two.until(() => two.transport.activeSince(1n) !== undefined);
    one.transport.send([heartbeat]);
    await two.until(() => two.messages.length === 1);
  });
});

describe("a stream", () => {
  it("is given up when nothing comes, and dialled again", async () => {
    let dials = 0;
    await using silent = await fakeMember((_request, response) => {
      dials++;
      response.writeHead(200, streamHead).flushHeaders();
    });
    await using one = await testMember({ id: 1n, limits: { streamIdleMs: 50 } });
    one.transport.addPeer(2n, [silent.url]);
    await one.until(() => warnings(one).length > 0);
    expect(warnings(one)).toEqual(["cannot hear a peer: nothing came for 50 ms"]);
    while (dials < 4) await once(silent.server, "request");
  });

  it("is kept alive while there is nothing to say", async () => {
    await using one = await testMember({ id: 1n });
    one.transport.addPeer(2n, ["http://127.0.0.1:1"]);
    const headers = { ...requestHead, "X-Raft-To": "1" };
    const response = await fetch(`${one.url}/raft/stream/msgapp/2`, { headers });
    const reader = response.body?.getReader();
    for (let bytes = 0; bytes < 3; ) {
      const { value } = (await reader?.read()) ?? {};
      expect(new Set(value)).toEqual(new Set([0]));
      bytes += value?.length ?? 0;
    }
    await reader?.cancel();
  });

  it.each([
    ["that are no frames", "ff".repeat(20), /unknown kind|larger than/],
    ["of a message that is too large", "02ffffffffffffffff", /2\^53|larger than/],
  ])("with bytes %s is given up and dialled again", async (_what, bytes, cause) => {
    await using hostile = await fakeMember((_request, response) => {
      response.writeHead(200, streamHead).write(Buffer.from(bytes, "hex"));
    });
    await using one = await testMember({ id: 1n });
    one.transport.addPeer(2n, [hostile.url]);
    await one.until(() => warnings(one).length > 0);
    expect(warnings(one)[0]).toMatch(cause);
    expect(one.messages).toEqual([]);
  });

  it("that opens and breaks again and again is told of once", async () => {
    let dials = 0;
    await using flapping = await fakeMember((request, response) => {
      dials++;
      const keepAlive =
        request.url?.includes("msgapp") === true ? "00" : "0000000000000012080810001800200028003000400050005800";
      response.writeHead(200, streamHead).end(Buffer.from(keepAlive, "hex"));
    });
    await using one = await testMember({ id: 1n });
    one.transport.addPeer(2n, [flapping.url]);
    while (dials < 20) await once(flapping.server, "request");
    expect(warnings(one)).toEqual(["cannot hear a peer: the stream was closed"]);
    expect(one.log.filter(({ level }) => level === "info")).toEqual([]);
  });

  it.each([
    ["too old to have streams", { ...streamHead, "X-Server-Version": "2.0.0" }, "version 2.0.0 has no streams"],
    ["of no version", { "X-Etcd-Cluster-ID": streamHead["X-Etcd-Cluster-ID"] }, "version 2.0.0 has no streams"],
    ["of another cluster", { ...streamHead, "X-Etcd-Cluster-ID": "1" }, "cluster ID mismatch"],
  ])("of a member %s is not read", async (_what, head, cause) => {
    await using other = await fakeMember((_request, response) => response.writeHead(200, head).flushHeaders());
    await using one = await testMember({ id: 1n });
    one.transport.addPeer(2n, [other.url]);
    await one.until(() => warnings(one).length > 0);
    expect(warnings(one)).toEqual([`cannot hear a peer: ${cause}`]);
    expect(one.transport.activeSince(2n)).toBeUndefined();
  });
});

describe("a stranger", () => {
  it("of another cluster is refused and told of once, at both ends, however often it knocks", async () => {
    await using one = await testMember({ id: 1n });
    await using two = await testMember({ id: 2n, clusterId: 0x77n });
    introduce(one, two);
    await two.until(() => warnings(two).length > 0);
    await one.until(() => warnings(one).length > 1);
    for (let knocks = 0; knocks < 20; knocks++)
      await fetch(`${one.url}/raft`, { method: "POST", headers: { "X-Server-From": "2" } });
    expect(warnings(two).filter((line) => line.startsWith("cannot hear"))).toEqual([
      "cannot hear a peer: 412 cluster ID mismatch",
    ]);
    expect(
      warnings(one)
        .filter((line) => line.startsWith("refused"))
        .toSorted(),
    ).toEqual(["refused a member: cluster ID mismatch", "refused a member: incompatible version"]);
    expect(one.messages).toEqual([]);
  });

  it("that tells where it is can be answered, though it is no peer yet", async () => {
    await using one = await testMember({ id: 1n });
    await using two = await testMember({ id: 2n, peerUrls: ["http://127.0.0.1:1"] });
    await using newcomer = await testMember({ id: 3n, peerUrls: ["http://127.0.0.1:1"] });
    await using told = await testMember({ id: 4n, peerUrls: [newcomer.url] });
    // The newcomer sends under an id that the other one does not know, with its own URL.
    told.transport.addPeer(1n, [one.url]);
    told.transport.send([testMessage({ type: "MsgAppResp", from: 3n, to: 1n, term: 1 })]);
    await one.until(() => one.messages.length === 1);
    one.transport.send([testMessage({ type: "MsgHeartbeat", from: 1n, to: 4n, term: 1 })]);
    await newcomer.until(() => warnings(newcomer).length > 0);
    expect(warnings(newcomer)).toEqual(["refused a message: it is for 4"]);
    expect(two.messages).toEqual([]);
  });
});

describe("a member that was removed", () => {
  it("is told so when it dials, and dials no more", async () => {
    const removed = new Set<bigint>();
    await using one = await testMember({ id: 1n, receiver: { wasRemoved: (id) => removed.has(id) } });
    await using two = await testMember({ id: 2n });
    await connect(one, two);
    removed.add(2n);
    one.transport.removePeer(2n);
    await two.until(() => two.removals > 0);
    expect(one.transport.peers).toEqual(new Set());
    expect(one.transport.activeSince(2n)).toBeUndefined();
  });

  it("gets what was queued for it before", async () => {
    await using one = await testMember({ id: 1n });
    await using two = await testMember({ id: 2n });
    await connect(one, two);
    one.transport.send([heartbeat]);
    one.transport.removePeer(2n);
    await two.until(() => two.messages.length === 1);
  });

  it("cannot send messages any more", async () => {
    await using one = await testMember({ id: 1n, receiver: { wasRemoved: (id) => id === 2n } });
    await using two = await testMember({ id: 2n });
    two.transport.addPeer(1n, [one.url]);
    two.transport.send([testMessage({ type: "MsgVote", from: 2n, to: 1n, term: 1 })]);
    await two.until(() => two.unreachable.length > 0);
    expect(one.messages).toEqual([]);
  });
});

describe("the queue of a stream that nobody takes from", () => {
  it("is bounded: what is more is dropped, and told once", async () => {
    const bulk = (index: number) =>
      testMessage({
        type: "MsgApp",
        from: 1n,
        to: 2n,
        term: 1,
        entries: [{ type: "normal", term: 1, index, data: new Uint8Array(1_000_000) }],
      });
    await using one = await testMember({ id: 1n, limits: { queuedMessagesMax: 10, queuedBytesMax: 5_000_000 } });
    await using two = await testMember({ id: 2n });
    introduce(one, two);
    await two.until(() => two.transport.activeSince(1n) !== undefined);
    await one.until(() => one.transport.activeSince(2n) !== undefined);
    // All in one turn: the socket takes some, the queue five, the rest is dropped.
    for (let index = 1; index <= 100; index++) one.transport.send([bulk(index)]);
    expect(one.unreachable).toEqual([2n]);
    expect(warnings(one)).toEqual(["dropped messages: the msgapp stream is full"]);
    await two.until(() => two.messages.length >= 5);
    expect(two.messages.length).toBeLessThan(20);
    expect(two.messages[0]?.entries[0]?.index).toBe(1);
  });

  it("is bounded without a stream, too: few POSTs at once, few waiting", async () => {
    let posts = 0;
    await using slow = await fakeMember((request, response) => {
      if (request.method === "POST") posts++;
      else response.writeHead(404).end();
    });
    await using one = await testMember({ id: 1n, limits: { postsMax: 2, queuedPostsMax: 3 } });
    one.transport.addPeer(2n, [slow.url]);
    one.transport.send(Array.from({ length: 20 }, () => heartbeat));
    await one.until(() => one.unreachable.length > 0);
    while (posts < 2) await once(slow.server, "request");
    expect(posts).toBe(2);
    expect(one.unreachable).toEqual([2n]);
  });
});

describe("a probe", () => {
  it("warns once when the clock of a peer is far from the one here", async () => {
    let probes = 0;
    await using late = await fakeMember((request, response) => {
      if (request.url === "/raft/probing") probes++;
      response.end(`{"OK":true,"Now":"${new Date(Date.now() - 3_600_000).toISOString()}"}`);
    });
    await using one = await testMember({ id: 1n, limits: { probeMs: 2 } });
    one.transport.addPeer(2n, [late.url]);
    const clocks = () => warnings(one).filter((line) => line.startsWith("the clock"));
    await one.until(() => clocks().length > 0);
    while (probes < 5) await once(late.server, "request");
    expect(clocks()).toEqual(["the clock of a peer differs: by more than a second"]);
  });

  it("says nothing when the clocks agree", async () => {
    let probes = 0;
    await using other = await fakeMember((request, response) => {
      if (request.url === "/raft/probing") probes++;
      response.end(`{"OK":true,"Now":"${new Date().toISOString()}"}`);
    });
    await using one = await testMember({ id: 1n, limits: { probeMs: 2 } });
    one.transport.addPeer(2n, [other.url]);
    while (probes < 5) await once(other.server, "request");
    expect(warnings(one).filter((line) => line.startsWith("the clock"))).toEqual([]);
  });
});

describe("closing", () => {
  it("leaves no timer, no connection and no listener, whatever was under way", async () => {
    await using blackHole = await fakeMember(() => undefined);
    await using two = await testMember({ id: 2n });
    const one = await testMember({ id: 1n });
    await connect(one, two);
    one.transport.addPeer(3n, [blackHole.url]);
    one.transport.send([testMessage({ type: "MsgHeartbeat", from: 1n, to: 3n, term: 1 })]);
    const call = one.network.version({ urls: [blackHole.url], timeoutMs: 60_000 });
    const callRejects = expect(call).rejects.toMatchObject({ code: "UNREACHABLE" });
    const snapshot = { type: "MsgSnap", from: 1n, to: 3n, term: 1 } as const;
    let released = 0;
    one.transport.sendSnapshot(testMessage(snapshot), {
      sizeBytes: 10,
      async *read() {
        yield Buffer.alloc(10);
      },
      release: async () => void released++,
    });
    await once(blackHole.server, "request");
    one.transport.removePeer(2n);
    const before = one.unreachable.length;
    await one.transport.close();
    await callRejects;
    expect(released).toBe(1);
    expect(one.scheduler.running).toBe(0);
    expect(one.unreachable.length).toBeLessThanOrEqual(before + 1);
    await expect(fetch(`${one.url}/version`)).rejects.toThrow();
  });

  it("does not call the receiver any more", async () => {
    await using two = await testMember({ id: 2n });
    const one = await testMember({ id: 1n });
    await connect(one, two);
    await one.transport.close();
    expect(one.unreachable).toEqual([]);
    one.transport.send([heartbeat]);
    one.transport.addPeer(3n, [two.url]);
    await one.transport.close();
    expect(one.transport.peers.has(3n)).toBe(false);
    expect(one.scheduler.running).toBe(0);
  });
});

describe("listening", () => {
  it("on several addresses answers at each of them", async () => {
    await using one = await testMember({ id: 1n, listenUrl: "http://127.0.0.1:0,http://[::1]:0" });
    const answers = one.network.listeningUrls.map(async (url) => (await fetch(`${url}/version`)).status);
    expect(await Promise.all(answers)).toEqual([200, 200]);
  });

  it("on a unix socket answers other members, also where a killed process has left its file", async () => {
    const directory = await mkdtemp(join(tmpdir(), "peer-"));
    const path = join(directory, "peer.sock");
    const url = `unix://${path}`;
    spawnSync(process.execPath, [
      "-e",
      `require("net").createServer().listen("${path}", () => process.kill(process.pid, "SIGKILL"))`,
    ]);
    expect(await readdir(directory)).toEqual(["peer.sock"]);
    const one = await testMember({ id: 1n, listenUrl: url });
    await expect(testMember({ id: 2n, listenUrl: url })).rejects.toMatchObject({ code: "LISTEN" });
    await using two = await testMember({ id: 2n });
    one.transport.addPeer(2n, [two.url]);
    two.transport.addPeer(1n, [url]);
    two.transport.send([testMessage({ type: "MsgVote", from: 2n, to: 1n, term: 1 })]);
    await one.until(() => one.messages.length === 1);
    await one.transport.close();
    expect(await readdir(directory)).toEqual([]);
    await rm(directory, { recursive: true });
  });

  it("fails with the address when that is taken", async () => {
    await using one = await testMember({ id: 1n });
    await expect(testMember({ id: 2n, listenUrl: one.url })).rejects.toMatchObject({
      name: "PeerError",
      code: "LISTEN",
    });
  });

  it.each(["https://127.0.0.1:0", "nonsense", "http://127.0.0.1:0/path", "unix://"])(
    "refuses %s",
    async (listenUrl) => {
      await expect(testMember({ id: 2n, listenUrl })).rejects.toMatchObject({ code: "LISTEN" });
    },
  );
});
