/**
 * @module Whoever reaches the ports may send anything: no input ends the member, makes it grow without bound, or keeps
 * honest clients waiting. Every case is told by its seed and its place, so that what fails can be sent again.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { type Client, createClient } from "@conclave/client";
import fc, { type Arbitrary } from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Conclave, makePlace, type Place } from "./conclave.ts";
import { http1Input, peerInput } from "./hostile/http1-input.ts";
import { callsTakenBack, http2Input } from "./hostile/http2-input.ts";

/** Connections at once. */
const together = 50;
/** How many cases come between two looks at the member. */
const betweenLooks = 500;
/** How long a case waits for the member to say something or to hang up. */
const patienceMs = 60;
/** Most that the member's memory may grow by all of it: what lives longer is garbage that was not collected yet. */
const growthBytesMax = 300 * 1024 * 1024;

const noise: Arbitrary<Uint8Array> = fc.uint8Array({ minLength: 1, maxLength: 300 });

let place: Place;
let member: Conclave;
let client: Client;

beforeAll(async () => {
  place = await makePlace();
  member = await new Conclave(place.flags).ready();
  client = createClient({ endpoints: [place.endpoint] });
});

afterAll(async () => {
  await client.close();
  await member[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

function peerEndpoint(): string {
  const flag = place.flags.find((text) => text.startsWith("--listen-peer-urls="));
  return new URL(flag?.split("=")[1] ?? "").host;
}

function residentBytes(): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${member.child.pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}

async function connected(endpoint: string): Promise<Socket> {
  const [host = "", port] = endpoint.split(":");
  const socket = connect(Number(port), host).on("error", () => {});
  await Promise.race([once(socket, "connect"), once(socket, "close")]);
  return socket.resume();
}

/**
 * Brings the bytes and goes away, at the latest when patience ends; a connection that is refused counts as brought.
 *
 * @returns whether the member said anything
 */
async function bring(endpoint: string, bytes: Uint8Array): Promise<boolean> {
  const socket = await connected(endpoint);
  if (socket.destroyed) return false;
  socket.write(bytes);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const timer = setTimeout(() => socket.destroy(), patienceMs);
  await closed;
  clearTimeout(timer);
  return socket.bytesRead > 0;
}

/** The member is alive, and takes and gives what an honest client asks of it. */
async function expectToServe(what: string): Promise<void> {
  expect(member.child.exitCode, `${what} ended the member: ${member.lines.at(-1)}`).toBeNull();
  await client.put("honest", what, { timeoutMs: 10_000 });
  expect(await client.getString("honest"), what).toBe(what);
}

/** Brings so many cases, drawn from the seed. */
async function bringAll(
  endpoint: string,
  input: Arbitrary<Uint8Array>,
  { seed, cases, answeredMin }: Campaign,
): Promise<void> {
  let answered = 0;
  const inputs = fc.sample(input, { seed, numRuns: cases });
  const before = residentBytes();
  for (let start = 0; start < cases; start += betweenLooks) {
    const slice = inputs.slice(start, start + betweenLooks);
    const take = async (): Promise<void> => {
      for (let bytes = slice.pop(); bytes !== undefined; bytes = slice.pop())
        if (await bring(endpoint, bytes)) answered++;
    };
    await Promise.all(Array.from({ length: together }, take));
    await expectToServe(`one of the cases ${start} to ${start + betweenLooks} of seed ${seed}`);
  }
  expect(residentBytes() - before).toBeLessThan(growthBytesMax);
  // Else nothing was tested but the reading of first bytes.
  expect(answered).toBeGreaterThan(answeredMin * cases);
}

interface Campaign {
  readonly seed: number;
  readonly cases: number;
  /** The least share of them to which the member says something. */
  readonly answeredMin: number;
}

describe("hostile input", () => {
  test.each([
    ["noise", noise, { seed: 1, cases: 1_000, answeredMin: 0 }],
    ["HTTP/2", http2Input, { seed: 2, cases: 4_500, answeredMin: 0.4 }],
    ["HTTP/1.1 and JSON", http1Input, { seed: 3, cases: 3_000, answeredMin: 0.4 }],
  ] as const)("%s on the clients' port does no harm", async (_name, input, campaign) => {
    await bringAll(place.endpoint, input, campaign);
  });

  test.each([
    ["noise", noise, { seed: 4, cases: 500, answeredMin: 0 }],
    ["HTTP/1.1", peerInput, { seed: 5, cases: 2_500, answeredMin: 0.4 }],
  ] as const)("%s on the peers' port does no harm", async (_name, input, campaign) => {
    await bringAll(peerEndpoint(), input, campaign);
  });

  test("5 000 connections that say nothing keep nobody from being served", async () => {
    const before = residentBytes();
    const idle = await Promise.all(Array.from({ length: 5_000 }, () => connected(place.endpoint)));
    await expectToServe("idle connections");
    expect(residentBytes() - before).toBeLessThan(growthBytesMax);
    for (const socket of idle) socket.destroy();
    await expectToServe("connections that are gone");
  });

  test("connections that bring a byte now and then are cut off, and others are served meanwhile", async () => {
    const sockets = await Promise.all(Array.from({ length: 50 }, () => connected(place.endpoint)));
    const text = "POST /v3/kv/range HTTP/1.1\r\nHost: slow\r\n";
    let sent = 0;
    const timer = setInterval(() => {
      for (const socket of sockets) if (!socket.destroyed) socket.write(text[sent % text.length] ?? "");
      sent++;
    }, 200);
    const closed = Promise.all(sockets.map((socket) => socket.destroyed || once(socket, "close")));
    await expectToServe("slow senders");
    await closed;
    clearInterval(timer);
    await expectToServe("slow senders that are gone");
  });

  test("streams that are opened and reset in a loop cost no memory and keep nobody from being served", async () => {
    const before = residentBytes();
    const resets = callsTakenBack(500);
    let answered = 0;
    for (let round = 0; round < 20; round++) {
      if (await bring(place.endpoint, resets)) answered++;
      await expectToServe(`round ${round} of resets`);
    }
    expect(residentBytes() - before).toBeLessThan(growthBytesMax);
    expect(answered).toBeGreaterThan(0);
  });
});
