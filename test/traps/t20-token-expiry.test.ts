import { allKeys, type CallMetadata } from "@conclave/client";
import type { FakeStream } from "@conclave/client/testing/fake-network";
import { modelCluster } from "@conclave/client/testing/model-client";
import { wireFailure } from "@conclave/client/testing/wire-failure";
import {
  AuthenticateResponse,
  RangeRequest,
  RangeResponse,
  WatchRequest,
  WatchResponse,
} from "@conclave/protocol/etcdserverpb";
import { describe, expect, test } from "vitest";
import { NaiveClient } from "./naive/retrying-client.ts";
import { NaiveWatcher } from "./naive/watcher.ts";

/** A member whose tokens can be made to expire all at once. */
function scene() {
  const cluster = modelCluster({ client: { credentials: { username: "ada", password: "secret" } } });
  const state = { logins: 0, isPasswordWrong: false, valid: "t0", starts: [] as number[], streams: [] as FakeStream[] };
  const isValid = ({ token }: CallMetadata) => token === state.valid;
  cluster.network.members.set("m1:1", {
    unary(call) {
      if (call.path.endsWith("Authenticate")) {
        state.logins++;
        if (state.isPasswordWrong) throw wireFailure("AuthFailed");
        state.valid = `t${state.logins}`;
        return AuthenticateResponse.encode(AuthenticateResponse.fromPartial({ token: state.valid })).finish();
      }
      if (!isValid(call.metadata)) throw wireFailure("InvalidAuthToken");
      return RangeResponse.encode(RangeResponse.fromPartial({})).finish();
    },
    stream(stream) {
      stream.onRequest = (bytes) => onCreate(state, stream, WatchRequest.decode(bytes), isValid(stream.metadata));
    },
  });
  return { ...cluster, state };
}

function onCreate(
  state: { readonly starts: number[]; readonly streams: FakeStream[] },
  stream: FakeStream,
  { requestUnion }: WatchRequest,
  allowed: boolean,
): void {
  if (requestUnion?.$case !== "createRequest") return;
  const { watchId, startRevision } = requestUnion.value;
  const send = (frame: Partial<WatchResponse>) =>
    stream.send(WatchResponse.encode(WatchResponse.fromPartial({ watchId, ...frame })).finish());
  const header = { clusterId: 1n, memberId: 1n, revision: 7, raftTerm: 1 };
  if (!allowed) {
    send({ watchId: -1n, header, created: true, canceled: true, cancelReason: "etcdserver: invalid auth token" });
    return;
  }
  state.starts.push(Number(startRevision));
  state.streams.push(stream);
  send({ header, created: true });
}

describe("T20: a token expires", () => {
  test("for many calls at once: one login, and no caller notices", async () => {
    const { client, time, state } = scene();
    await time.complete(client.get("k"));
    state.valid = "expired";
    await time.complete(Promise.all(Array.from({ length: 20 }, () => client.get("k"))));
    expect(state.logins).toBe(2);
  });

  test("for a stream that opens, and for one that is open: it goes on at its cursor", async () => {
    const { client, time, state } = scene();
    const watcher = client.watch(allKeys());
    await time.complete(watcher.ready());
    state.valid = "expired";
    // The member ends the stream, as a restart does; the next one is refused for the old token, and opened with a new one.
    for (const stream of state.streams) stream.end(wireFailure("InvalidAuthToken"));
    await time.advance(10_000);
    expect(state.starts).toEqual([0, 8]);
    expect(state.logins).toBe(2);
    watcher.close();
  });

  test("and the password is not the right one any more: said at once, not tried until the time is up", async () => {
    const { client, time, state } = scene();
    await time.complete(client.get("k"));
    state.valid = "expired";
    state.isPasswordWrong = true;
    await expect(time.complete(client.get("k"))).rejects.toMatchObject({ code: "AUTH_FAILED", retryable: false });
    expect(state.logins).toBe(2);
  });

  test("who logs in for each refused call logs in as often as it has calls", async () => {
    const { network, state } = scene();
    const naive = new NaiveClient(network, ["m1:1"], 3);
    const request = RangeRequest.encode(RangeRequest.fromPartial({})).finish();
    await naive.call("/etcdserverpb.KV/Range", request);
    state.valid = "expired";
    const before = state.logins;
    await Promise.allSettled(Array.from({ length: 20 }, () => naive.call("/etcdserverpb.KV/Range", request)));
    expect(state.logins - before).toBeGreaterThan(1);
  });

  test("a watch without a token of its own for each stream is never told why it hears nothing", async () => {
    const { network, time, state } = scene();
    const naive = new NaiveWatcher(network, time, { from: 1, cursor: "event", onEvent: () => {} });
    await time.advance(10_000);
    expect(state.starts).toEqual([]);
    expect(naive.ended).toBe(false);
  });
});
