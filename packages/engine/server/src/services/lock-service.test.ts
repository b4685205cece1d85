import { utf8, utf8Text } from "@conclave/base";
import { GrpcStatus } from "@conclave/protocol";
import type { LockResponse } from "@conclave/protocol/v3lockpb";
import { expect, test } from "vitest";
import { coordinationLab, labCall } from "../testing/coordination-lab.ts";
import { LockService } from "./lock-service.ts";

const withStatus = (status: GrpcStatus, message: string) =>
  expect.objectContaining({ name: "RpcError", status, message });
const sessionIsExpired = withStatus(GrpcStatus.Unknown, "mutex: session is expired");

/** A lab with the leases 0xa, 0xb and 0xc, and what has become of every lock that was asked for. */
function lockLab() {
  const lab = coordinationLab();
  for (const id of [0xan, 0xbn, 0xcn]) lab.grant(id);
  const service = new LockService(lab.parts);
  const lock = (lease: bigint, name = "L") => {
    const { call, cancel } = labCall();
    const waiting = { held: undefined as string | undefined, error: undefined as unknown, cancel };
    const onHeld = ({ key, header }: LockResponse) => {
      waiting.held = `${utf8Text(key)} rev=${header?.revision}`;
    };
    const onError = (error: unknown) => {
      waiting.error = error;
    };
    void service.lock({ name: utf8(name), lease }, call).then(onHeld, onError);
    return waiting;
  };
  const unlock = (key: string) => service.unlock({ key: utf8(key) }, labCall().call);
  return { ...lab, lock, unlock };
}

test("a free lock is had at once; its key is the name, a slash and the lease in hex, and hangs on the lease", async () => {
  const lab = lockLab();
  const first = lab.lock(0xan);
  const other = lab.lock(0xan, "other/one");
  await lab.settle();
  expect([first.held, other.held]).toEqual(["L/a rev=2", "other/one/a rev=3"]);
  expect(lab.lessor.keysOf(0xan)).toEqual(["L/a", "other/one/a"]);
  expect(lab.keys()).toEqual(["L/a=", "other/one/a="]);
});

test("locks are had in the order in which they were asked for", async () => {
  const lab = lockLab();
  const [a, b, c] = [lab.lock(0xan), lab.lock(0xbn), lab.lock(0xcn)];
  await lab.settle();
  expect([a.held, b.held, c.held]).toEqual(["L/a rev=2", undefined, undefined]);

  await lab.unlock("L/a");
  await lab.settle();
  expect([b.held, c.held]).toEqual(["L/b rev=5", undefined]);

  lab.revoke(0xbn);
  await lab.settle();
  expect(c.held).toBe("L/c rev=6");
});

test("who waits is not woken for one in the middle that gives up", async () => {
  const lab = lockLab();
  const [, b, c] = [lab.lock(0xan), lab.lock(0xbn), lab.lock(0xcn)];
  await lab.settle();
  b.cancel();
  await lab.settle();
  expect(lab.keys()).toEqual(["L/a=", "L/c="]);
  expect(c.held).toBeUndefined();
  await lab.unlock("L/a");
  await lab.settle();
  expect(c.held).toBeDefined();
});

test("an unlock wakes the next in line and nobody else", async () => {
  const lab = lockLab();
  let reads = 0;
  const { txn } = lab.parts.kv;
  const service = new LockService({
    ...lab.parts,
    kv: {
      ...lab.parts.kv,
      txn: (request, call) => {
        reads++;
        return txn(request, call);
      },
    },
  });
  const held: bigint[] = [];
  for (let lease = 0x10n; lease < 0x20n; lease++) {
    lab.grant(lease);
    const onHeld = () => void held.push(lease);
    void service.lock({ name: utf8("L"), lease }, labCall().call).then(onHeld);
  }
  await lab.settle();
  reads = 0;
  await lab.unlock("L/10");
  await lab.settle();
  expect(held).toEqual([0x10n, 0x11n]);
  expect(reads).toBe(1);
});

test("the lease that has a lock has it again", async () => {
  const lab = lockLab();
  lab.lock(0xan);
  await lab.settle();
  const again = lab.lock(0xan);
  await lab.settle();
  expect(again.held).toBe("L/a rev=2");
});

test("without a lease one of 60 s is granted", async () => {
  const lab = lockLab();
  const lock = lab.lock(0n);
  await lab.settle();
  expect(lock.held).toBe("L/7001 rev=2");
  lab.lessor.promote(0, 0);
  expect(lab.lessor.timeToLive(0x7001n, 0).grantedTtlSec).toBe(60);
});

test("a negative lease is written with its sign, as etcd does", async () => {
  const lab = lockLab();
  lab.grant(-2n);
  const lock = lab.lock(-2n);
  await lab.settle();
  expect(lock.held).toBe("L/-2 rev=2");
});

test("a lease that does not exist, and an empty key, are refused with etcd's texts and without its statuses", async () => {
  const lab = lockLab();
  const lock = lab.lock(0x99n);
  await lab.settle();
  expect(lock.error).toEqual(withStatus(GrpcStatus.Unknown, "etcdserver: requested lease not found"));
  expect(lab.keys()).toEqual([]);
  await expect(lab.unlock("")).rejects.toEqual(withStatus(GrpcStatus.Unknown, "etcdserver: key is not provided"));
});

test("a call that is cancelled while it waits ends as it was ended and takes its key away", async () => {
  const lab = lockLab();
  lab.lock(0xan);
  const waiting = lab.lock(0xbn);
  await lab.settle();
  waiting.cancel();
  await lab.settle();
  expect(waiting.error).toEqual(withStatus(GrpcStatus.Canceled, "the client has gone"));
  expect(lab.keys()).toEqual(["L/a="]);
  expect(lab.hub.stats).toEqual({ streams: 0, watchers: 0, slowWatchers: 0 });
});

test("a call that is cancelled before it has its lock leaves no key behind", async () => {
  const lab = lockLab();
  const waiting = lab.lock(0xbn);
  waiting.cancel();
  await lab.settle();
  expect(lab.keys()).toEqual([]);
});

test("a call that joined the place of another of the same lease leaves it when cancelled", async () => {
  const lab = lockLab();
  lab.lock(0xan);
  const first = lab.lock(0xbn);
  await lab.settle();
  const second = lab.lock(0xbn);
  await lab.settle();
  second.cancel();
  await lab.settle();
  await lab.unlock("L/a");
  await lab.settle();
  expect(first.held).toBe("L/b rev=4");
});

test.each([
  ["the lease ends", (lab: ReturnType<typeof lockLab>) => lab.revoke(0xbn)],
  ["somebody deletes the key", (lab: ReturnType<typeof lockLab>) => lab.delete("L/b")],
])("who waits hears at once that he has lost his place: %s", async (_how, lose) => {
  const lab = lockLab();
  lab.lock(0xan);
  const waiting = lab.lock(0xbn);
  await lab.settle();
  lose(lab);
  await lab.settle();
  expect(waiting.error).toEqual(sessionIsExpired);
});

test("a key that was deleted and made anew is another place", async () => {
  const lab = lockLab();
  lab.lock(0xan);
  const waiting = lab.lock(0xbn);
  await lab.settle();
  lab.delete("L/b");
  lab.put("L/b");
  await lab.settle();
  expect(waiting.error).toEqual(sessionIsExpired);
  expect(lab.keys()).toEqual(["L/a=", "L/b="]);
});

test("the wait survives a compaction of what it was waiting for", async () => {
  const lab = lockLab();
  lab.lock(0xan);
  const waiting = lab.lock(0xbn);
  await lab.settle();
  for (let index = 0; index < 10; index++) lab.put("other");
  lab.store.compact(lab.store.currentRevision);
  await lab.settle();
  await lab.unlock("L/a");
  await lab.settle();
  expect(waiting.held).toBeDefined();
});

test("unlock deletes any key, and does not mind one that is not there", async () => {
  const lab = lockLab();
  lab.lock(0xan);
  await lab.settle();
  expect((await lab.unlock("L/a")).header?.revision).toBe(3);
  expect((await lab.unlock("L/a")).header?.revision).toBe(3);
});
