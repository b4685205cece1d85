import { LeaseKeepAliveResponse } from "@conclave/protocol/etcdserverpb";
import { virtualTime } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { isConclaveError } from "../conclave-error.ts";
import { connectionLost } from "../testing/fake-network.ts";
import { modelCluster } from "../testing/model-client.ts";

const keepAlivePath = "/etcdserverpb.Lease/LeaseKeepAlive";

/** A client whose process can stop while time goes on for everybody else. */
function pausable() {
  const time = virtualTime(1);
  let pausedMs = 0;
  const clock = { monotonicMs: () => time.monotonicMs() + pausedMs, wallMs: () => 0 };
  const pause = (durationMs: number) => {
    pausedMs += durationMs;
  };
  return { ...modelCluster({ time, client: { clock } }), pause };
}

describe("a session", () => {
  test("is held for as long as keep-alives are answered", async () => {
    const { client, time, lessor } = modelCluster();
    const session = await time.complete(client.session({ ttlSec: 5 }));
    for (let minute = 0; minute < 60; minute++) {
      await time.advance(60_000);
      expect(session.held).toBe(true);
    }
    expect(lessor.live).toEqual([session.lease]);
    expect(session.signal.aborted).toBe(false);
  });

  test("T13: ends before the lease can end, counted from when the answered request was sent", async () => {
    const { client, time, lessor } = modelCluster();
    lessor.roundTripMs = 1_000;
    const session = await time.complete(client.session({ ttlSec: 10, marginMs: 500 }));
    await time.advance(100_000);
    lessor.answers = false;
    await time.run(() => session.signal.aborted);
    // A request that reached the member half a second later than it was sent has renewed the lease until then.
    expect(lessor.live).toEqual([session.lease]);
    await time.advance(999);
    expect(lessor.live).toEqual([session.lease]);
    await time.advance(1);
    expect(lessor.live).toEqual([]);
    expect(session.signal.reason).toMatchObject({ code: "SESSION_LOST", details: { lease: session.lease } });
    expect(await session.ended).toBe(session.signal.reason);
  });

  test("goes on with a lease that is there, from when it was renewed, and refuses one that is gone", async () => {
    const { client, time, lessor } = modelCluster();
    const first = await time.complete(client.session({ ttlSec: 8 }));
    lessor.answers = false;
    await time.run(() => first.signal.aborted);
    lessor.answers = true;
    expect(lessor.live).toEqual([first.lease]);
    const askedAtMs = time.monotonicMs();
    const second = await time.complete(client.session({ lease: first.lease, marginMs: 0 }));
    expect(second.lease).toBe(first.lease);
    expect(second.remainingMs).toBe(askedAtMs + 8_000 - time.monotonicMs());
    await time.complete(second.close());
    await expect(time.complete(client.session({ lease: first.lease }))).rejects.toMatchObject({
      code: "LEASE_NOT_FOUND",
    });
  });

  test("T12: is not held any more when a blocked loop runs again, before any timer has", async () => {
    const { client, time, pause } = pausable();
    const session = await time.complete(client.session({ ttlSec: 5 }));
    expect(session.held).toBe(true);
    pause(5_000);
    expect(session.signal.aborted).toBe(false);
    expect(session.held).toBe(false);
    expect(session.remainingMs).toBe(0);
    expect(() => session.assertHeld()).toThrow("is lost");
  });

  test("T12: an answer that waited in the socket during a pause counts if nobody has looked", async () => {
    const { client, time, pause, lessor } = pausable();
    lessor.roundTripMs = 100;
    const session = await time.complete(client.session({ ttlSec: 5, marginMs: 500 }));
    await time.run(() => lessor.keepAlives === 1);
    pause(4_300);
    await time.advance(100);
    expect(session.held).toBe(true);
    expect(session.remainingMs).toBe(100);
  });

  test("once seen as lost stays lost, even if an answer that renews it was on its way", async () => {
    const { client, time, pause, lessor } = pausable();
    lessor.roundTripMs = 100;
    const session = await time.complete(client.session({ ttlSec: 5, marginMs: 500 }));
    await time.run(() => lessor.keepAlives === 1);
    pause(4_300);
    expect(session.held).toBe(false);
    await time.advance(100);
    expect(session.held).toBe(false);
    await time.advance(10_000);
    expect(session.signal.aborted).toBe(true);
  });

  test("T12: reads what waits in the socket before it declares itself lost", async () => {
    const time = virtualTime(1);
    const cluster = modelCluster({
      time,
      client: {
        scheduler: {
          after: (delayMs, task) => time.after(delayMs, task),
          // The end of a turn comes after the sockets have been read.
          atTurnEnd: (task) =>
            time.atTurnEnd(() => {
              for (const message of waiting.splice(0)) cluster.network.openStreams(keepAlivePath)[0]?.send(message);
              task();
            }),
        },
      },
    });
    const waiting: Uint8Array[] = [];
    const session = await time.complete(cluster.client.session({ ttlSec: 5, marginMs: 500 }));
    cluster.lessor.answers = false;
    await time.advance(4_400);
    expect(cluster.lessor.keepAlives).toBeGreaterThan(0);
    const answer = { header: undefined, ID: session.lease, TTL: 5 };
    waiting.push(LeaseKeepAliveResponse.encode(answer).finish());
    await time.advance(150);
    expect(waiting).toEqual([]);
    expect(session.held).toBe(true);
  });

  test("T14: goes by the time to live that was granted, not by the one asked for", async () => {
    const { client, time, lessor } = modelCluster();
    lessor.ttlSecMin = 20;
    const session = await time.complete(client.session({ ttlSec: 1 }));
    expect(session.ttlSec).toBe(20);
    expect(session.remainingMs).toBeGreaterThan(17_000);
    expect(session.remainingMs).toBeLessThanOrEqual(18_000);
  });

  test("T14: renews as often as the time to live of the last renewal asks for", async () => {
    const { client, time, lessor } = modelCluster();
    const session = await time.complete(client.session({ ttlSec: 60 }));
    lessor.changeTtl(session.lease, 3);
    await time.advance(600_000);
    expect(session.ttlSec).toBe(3);
    expect(session.held).toBe(true);
    expect(lessor.keepAlives).toBeGreaterThan(500);
  });

  test("granted after a long wait begins with a full time to live", async () => {
    const { client, time, network } = modelCluster({ members: 2 });
    const first = await time.complete(client.maintenance.status()).then(() => network.calls[0]?.endpoint ?? "");
    network.reachability.set(first, "silent");
    const session = await time.complete(client.session({ ttlSec: 5 }));
    expect(time.monotonicMs()).toBeGreaterThanOrEqual(5_000);
    expect(session.remainingMs).toBeGreaterThan(4_000);
  });

  test("is lost at once when the member says that its lease is gone", async () => {
    const { client, time, lessor } = modelCluster();
    const session = await time.complete(client.session({ ttlSec: 30 }));
    const lost: unknown[] = [];
    session.on("lost", (error) => lost.push(error));
    lessor.revoke(session.lease);
    await time.advance(10_100);
    expect(session.held).toBe(false);
    expect(lost).toEqual([session.signal.reason]);
  });

  test("survives a keep-alive stream that breaks, on another member", async () => {
    const { client, time, network } = modelCluster({ members: 2 });
    const session = await time.complete(client.session({ ttlSec: 3 }));
    for (let round = 0; round < 20; round++) {
      network.openStreams(keepAlivePath)[0]?.end(connectionLost());
      await time.advance(1_000);
      expect(session.held).toBe(true);
    }
  });

  test("T5: survives a member that takes keep-alives and says nothing", async () => {
    const { client, time, network } = modelCluster({ members: 2 });
    const session = await time.complete(client.session({ ttlSec: 6 }));
    const [stream] = network.openStreams(keepAlivePath);
    if (stream === undefined) throw new Error("there is a stream");
    stream.send = () => {};
    expect(stream.metadata.hasleader).toBe("true");
    await time.advance(60_000);
    expect(session.held).toBe(true);
    expect(network.openStreams(keepAlivePath)[0]?.endpoint).not.toBe(stream.endpoint);
  });

  test("many share one stream", async () => {
    const { client, time, network } = modelCluster();
    const sessions = await time.complete(Promise.all(Array.from({ length: 100 }, () => client.session({ ttlSec: 5 }))));
    await time.advance(60_000);
    expect(sessions.every(({ held }) => held)).toBe(true);
    expect(network.streams).toHaveLength(1);
  });

  test("closed revokes its lease, and leaves no timer and no stream", async () => {
    const { client, time, lessor, network } = modelCluster();
    const session = await time.complete(client.session());
    await time.complete(session.close());
    expect(lessor.live).toEqual([]);
    expect(session.held).toBe(false);
    expect((await session.ended).code).toBe("CLOSED");
    expect(network.openStreams(keepAlivePath)).toEqual([]);
    expect(time.pendingTimers).toBe(0);
    await time.complete(session.close());
  });

  test("closed after its lease has gone is no error", async () => {
    const { client, time, lessor } = modelCluster();
    const session = await time.complete(client.session());
    lessor.revoke(session.lease);
    await time.complete(session.close());
  });

  test("is granted once though the answer to the first try is lost", async () => {
    const { client, time, lessor, network, members } = modelCluster();
    const [member] = members;
    if (member === undefined) throw new Error("there is a member");
    let lost = 0;
    network.members.set("m1:1", {
      stream: (stream) => member.stream(stream),
      unary(call) {
        const answer = member.unary(call);
        if (lost++ === 0) throw connectionLost();
        return answer;
      },
    });
    const session = await time.complete(client.session({ ttlSec: 5 }));
    expect(lessor.live).toEqual([session.lease]);
    expect(session.ttlSec).toBe(5);
  });

  test("that cannot be had in time is an error", async () => {
    const { client, time, network } = modelCluster();
    network.reachability.set("m1:1", "refuses");
    await expect(time.complete(client.session({ timeoutMs: 2_000 }))).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  test("with a time to live that is none is refused with the value", async () => {
    const { client } = modelCluster();
    await expect(client.session({ ttlSec: 0 })).rejects.toThrow(
      "ttlSec: Too small: expected number to be >=1 (received 0)",
    );
  });

  test("is closed with its client", async () => {
    const { client, time, lessor } = modelCluster();
    const session = await time.complete(client.session());
    await time.complete(client.close());
    expect(lessor.live).toEqual([]);
    expect(session.held).toBe(false);
    expect(time.pendingTimers).toBe(0);
  });
});

test("a session that is abandoned leaves its lease to run out by itself", async () => {
  const { client, time, lessor } = modelCluster();
  const session = await time.complete(client.session({ ttlSec: 5 }));
  session.abandon();
  expect([session.held, session.signal.aborted]).toEqual([false, true]);
  await time.complete(session.close());
  // Nobody has revoked it, and nobody renews it any more.
  expect(lessor.live).toEqual([session.lease]);
  expect(time.pendingTimers).toBe(0);
});

describe("a shared session", () => {
  test("cannot be renewed by a thread where a client has time of its own, and says so at once", () => {
    const { client } = modelCluster();
    expect(() => client.sharedSession({ renewer: { maxStallMs: 500 } })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });

  test("is one lease for all that share it, revoked by the last", async () => {
    const { client, time, lessor } = modelCluster();
    const [one, two, other] = [
      client.sharedSession({ ttlSec: 5 }),
      client.sharedSession({ ttlSec: 5 }),
      client.sharedSession({ ttlSec: 9 }),
    ];
    const sessions = await time.complete(Promise.all([one, two, other].map((share) => share.ready())));
    expect(sessions[0]).toBe(sessions[1]);
    expect(lessor.live).toHaveLength(2);
    await time.complete(one.close());
    await time.complete(one.close());
    expect(two.current).toBe(sessions[1]);
    expect(one.current).toBeUndefined();
    await time.complete(two.close());
    expect(lessor.live).toEqual([sessions[2]?.lease]);
  });

  test("comes back after every loss, for ever, and says so", async () => {
    const { client, time, lessor } = modelCluster();
    const shared = client.sharedSession({ ttlSec: 5 });
    const leases: bigint[] = [];
    shared.on("session", ({ lease }) => leases.push(lease));
    for (let round = 1; round <= 10; round++) {
      await time.run(() => leases.length === round);
      lessor.revoke(leases.at(-1) ?? 0n);
      await time.run(() => shared.current === undefined);
    }
    expect(new Set(leases).size).toBe(10);
  });

  test("comes back after a long partition, asking ever more slowly and at random", async () => {
    const { client, time, network } = modelCluster();
    const shared = client.sharedSession({ ttlSec: 5 });
    await time.complete(shared.ready());
    const failures: number[] = [];
    shared.on("grantFailed", () => failures.push(time.monotonicMs()));
    network.reachability.set("m1:1", "refuses");
    network.streams[0]?.end(connectionLost());
    await time.advance(3_600_000);
    expect(shared.current).toBeUndefined();
    expect(failures.length).toBeGreaterThan(100);
    network.reachability.set("m1:1", "up");
    expect((await time.complete(shared.ready({ timeoutMs: 60_000 }))).held).toBe(true);
  });

  test("waited for no longer than said", async () => {
    const { client, time, network } = modelCluster();
    network.reachability.set("m1:1", "refuses");
    const shared = client.sharedSession();
    const failure = await time.complete(shared.ready({ timeoutMs: 300 }).catch((error: unknown) => error));
    expect(isConclaveError(failure, "TIMEOUT")).toBe(true);
    await time.complete(shared.close());
    await expect(shared.ready()).rejects.toMatchObject({ code: "CLOSED" });
  });
});
