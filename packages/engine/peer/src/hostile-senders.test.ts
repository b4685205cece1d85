/** What a listener does with those who send without an end, or nothing. */
import { connect as connectTo, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import type { PeerLimits } from "./options.ts";
import { identityHeaders } from "./peer-headers.ts";
import { type TestMember, testMember } from "./testing/test-member.ts";

/** Connects, writes, and gives back everything that comes until the other end closes. */
async function talk(member: TestMember, write: (socket: Socket) => void): Promise<string> {
  const { hostname, port } = new URL(member.url);
  const socket = connectTo(Number(port), hostname);
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  // A reset is an end, too.
  socket.on("error", () => undefined);
  write(socket);
  await new Promise((resolve) => socket.on("close", resolve));
  return text;
}

function head(member: TestMember, path: string): string {
  const headers = Object.entries(identityHeaders({ ...member.identity, memberId: 2n }, "3.6.0"));
  return `POST ${path} HTTP/1.1\r\nHost: member\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}`;
}

const limits: Partial<PeerLimits> = {
  messageBytesMax: 100_000,
  callBytesMax: 100_000,
  headTimeoutMs: 50,
  streamIdleMs: 50,
  bodyIdleMs: 50,
};

describe("a listener closes the connection of a sender", () => {
  it.each(["/raft", "/leases", "/leases/internal"])("whose body for %s has no end", async (path) => {
    await using member = await testMember({ id: 1n, limits });
    const reply = await talk(member, (socket) => {
      socket.write(`${head(member, path)}Transfer-Encoding: chunked\r\n\r\n`);
      const more = () => void (!socket.writable || socket.write(`1000\r\n${"x".repeat(0x1000)}\r\n`, more));
      more();
    });
    expect(reply === "" || reply.startsWith("HTTP/1.1 400 ")).toBe(true);
  });

  it("whose snapshot announces a message that is too large", async () => {
    await using member = await testMember({ id: 1n, limits });
    const reply = await talk(member, (socket) => {
      socket.write(`${head(member, "/raft/snapshot")}Content-Length: 200000\r\n\r\n`);
      socket.write(Buffer.from("00000000000186a1", "hex"));
    });
    expect(reply).toMatch(/^HTTP\/1.1 400 .*failed to decode raft message \(a frame of 100001 bytes/s);
  });

  it.each(["/raft", "/raft/snapshot", "/members/promote/5", "/leases"])(
    "that announces a body for %s and sends none",
    async (path) => {
      await using member = await testMember({ id: 1n, limits });
      await talk(member, (socket) => void socket.write(`${head(member, path)}Content-Length: 1000\r\n\r\n`));
    },
  );

  it("whose head has no end", async () => {
    await using member = await testMember({ id: 1n, limits });
    const reply = await talk(member, (socket) => {
      const more = () => void (!socket.writable || socket.write(`X-More: ${"x".repeat(1000)}\r\n`, more));
      socket.write("POST /raft HTTP/1.1\r\n", more);
    });
    expect(reply === "" || reply.startsWith("HTTP/1.1 431 ")).toBe(true);
  });

  it("whose head does not come", async () => {
    await using member = await testMember({ id: 1n, limits });
    const reply = await talk(member, (socket) => void socket.write("POST /raft HTTP/1.1\r\n"));
    expect(reply).toMatch(/^HTTP\/1.1 408 /);
  });

  it("that does not speak HTTP", async () => {
    await using member = await testMember({ id: 1n, limits });
    const reply = await talk(member, (socket) => void socket.write("\u0000\u0001 nonsense\r\n\r\n"));
    expect(reply).toMatch(/^HTTP\/1.1 400 /);
  });
});
