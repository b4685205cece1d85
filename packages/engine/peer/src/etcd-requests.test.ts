/** The same raw requests to real etcds and to us, as members with the same ids in clusters with the same members. */
import { WireError } from "@conclave/protocol";
import { LeaseKeepAliveRequest } from "@conclave/protocol/etcdserverpb";
import { LeaseInternalRequest } from "@conclave/protocol/leasepb";
import type { MessageType } from "@conclave/raft";
import { type EtcdVersion, etcdAbsence } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatId } from "./member-id.ts";
import { encodeMessage } from "./message-codec.ts";
import { type EtcdMember, startEtcdMember } from "./testing/etcd-member.ts";
import { firstBytes, type RawReply, type RawRequest, rawRequest } from "./testing/raw-request.ts";
import { type TestMember, testMember, testMessage } from "./testing/test-member.ts";

const learnerUrl = "http://127.0.0.1:1";
const timeoutMs = 30_000;
const leaseId = 4242n;
const unknownId = 0x77n;

/** A real etcd with a learner and a former member, and our network in the same place. */
interface Pair {
  readonly etcd: EtcdMember;
  readonly ours: TestMember;
  readonly learner: bigint;
  readonly removed: bigint;
}

async function startPair(version: EtcdVersion): Promise<Pair> {
  const etcd = await startEtcdMember(version);
  for (let count = 0; count < 5; count++) await etcd.put("key", `${count}`);
  await etcd.call("lease/grant", { ID: `${leaseId}`, TTL: "100" });
  await etcd.call("kv/compaction", { revision: "4" });
  const removed = await etcd.addLearner("http://127.0.0.1:2");
  await etcd.remove(removed);
  const learner = await etcd.addLearner(learnerUrl);
  const ours = await ourMember(etcd, { learner, removed });
  return { etcd, ours, learner, removed };
}

async function ourMember(etcd: EtcdMember, ids: { learner: bigint; removed: bigint }): Promise<TestMember> {
  const caller = await testMember({ id: 1n });
  const call = { urls: [etcd.peerUrl], timeoutMs: 10_000 };
  const { members } = await caller.network.members(call);
  const version = await caller.network.version(call);
  await caller.transport.close();
  const ours = await testMember({
    id: etcd.id,
    clusterId: etcd.clusterId,
    serverVersion: version.server,
    receiver: {
      members: () => members,
      version: () => version,
      wasRemoved: (id) => id === ids.removed,
      async promote(id) {
        if (id === etcd.id) throw new WireError("MemberNotLearner");
        throw new WireError(id === ids.learner ? "LearnerNotReady" : "MemberNotFound");
      },
      async hashKv(revision) {
        throw new WireError(revision === 1 ? "Compacted" : "FutureRev");
      },
      async renewLease(id) {
        if (id === leaseId) return 100;
        throw new WireError("LeaseNotFound");
      },
      async leaseTimeToLive() {
        throw new WireError("LeaseNotFound");
      },
    },
  });
  ours.transport.addPeer(ids.learner, [learnerUrl]);
  return ours;
}

function headersOf({ etcd, learner }: Pair): Readonly<Record<string, string>> {
  return {
    "X-Server-From": formatId(learner),
    "X-Server-Version": "3.5.0",
    "X-Min-Cluster-Version": "3.0.0",
    "X-Etcd-Cluster-ID": formatId(etcd.clusterId),
    "X-PeerURLs": learnerUrl,
  };
}

function message(fields: { type?: MessageType; from: bigint; to: bigint }): Uint8Array {
  return encodeMessage(testMessage({ type: "MsgHeartbeatResp", term: 1, ...fields }));
}

function framed(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0, bytes.length]), bytes]);
}

/** The part of an answer that must be the same. */
function comparable({ status, headers, body }: RawReply): object {
  const { allow, "content-type": type, "x-content-type-options": options } = headers;
  const [cluster, version] = [headers["x-etcd-cluster-id"], headers["x-server-version"]];
  // Why a message cannot be decoded is told in words of one's own, and the time is not the same twice.
  const text = body
    .toString("latin1")
    .replace(/ \(.*\)/, "")
    .replace(/"Now":"[^"]+"/, "");
  return { status, allow, type, options, cluster, version, text };
}

type Case = (pair: Pair) => RawRequest;

const raftPost =
  (headers: Readonly<Record<string, string>>, body?: (pair: Pair) => Uint8Array | string): Case =>
  (pair) => ({
    method: "POST",
    path: "/raft",
    headers: { ...headersOf(pair), ...headers },
    body: body?.(pair) ?? message({ from: pair.learner, to: pair.etcd.id }),
  });

const stream =
  (path: (pair: Pair) => string, headers: Readonly<Record<string, string>> = {}): Case =>
  (pair) => ({
    method: "GET",
    path: `/raft/stream/${path(pair)}`,
    headers: { ...headersOf(pair), "X-Raft-To": formatId(pair.etcd.id), ...headers },
  });

const snapshotPost =
  (body: (pair: Pair) => Uint8Array, headers: Readonly<Record<string, string>> = {}): Case =>
  (pair) => ({
    method: "POST",
    path: "/raft/snapshot",
    headers: { ...headersOf(pair), ...headers },
    body: body(pair),
  });

const plain =
  (method: string, path: string, body?: Uint8Array | string): Case =>
  () => ({ method, path, ...(body === undefined ? {} : { body }) });

const cases: Readonly<Record<string, Case>> = {
  "an unknown path": plain("GET", "/"),
  "a message by GET": plain("GET", "/raft"),
  "a message without headers": (pair) => ({ ...raftPost({})(pair), headers: {} }),
  "a message without a version": raftPost({ "X-Server-Version": "" }),
  "a message of too old a version": raftPost({ "X-Server-Version": "2.3.0" }),
  "a message of too new a version": raftPost({ "X-Min-Cluster-Version": "3.99.0" }),
  "a message of another cluster": raftPost({ "X-Etcd-Cluster-ID": "1" }),
  "a message of no cluster": raftPost({ "X-Etcd-Cluster-ID": "" }),
  "a message that is none": raftPost({}, () => Buffer.from("ffff", "hex")),
  "a message": raftPost({}),
  "a message of a former member": raftPost({}, ({ removed, etcd }) => message({ from: removed, to: etcd.id })),
  "a path below the messages": plain("GET", "/raft/nonsense"),
  "the messages with a slash": plain("POST", "/raft/"),
  "the probe": plain("GET", "/raft/probing"),
  "the probe by POST": plain("POST", "/raft/probing"),
  "a path below the probe": plain("GET", "/raft/probing/more"),
  "a stream by POST": (pair) => ({ ...stream(({ learner }) => `message/${formatId(learner)}`)(pair), method: "POST" }),
  "a stream without headers": ({ learner }) => plain("GET", `/raft/stream/message/${formatId(learner)}`)({} as Pair),
  "a stream of an unknown kind": stream(({ learner }) => `nonsense/${formatId(learner)}`),
  "a stream of no kind": stream(({ learner }) => formatId(learner)),
  "a stream of no kind for nobody": stream(() => ""),
  "a stream for nobody": stream(() => "message/"),
  "a stream for no id": stream(() => "message/xyz"),
  "a stream for too long an id": stream(() => "message/11111111111111111"),
  "a stream for a former member": stream(({ removed }) => `message/${formatId(removed)}`),
  "a stream for a stranger": stream(() => `msgapp/${formatId(unknownId)}`),
  "a stream of another member": stream(({ learner }) => `message/${formatId(learner)}`, { "X-Raft-To": "5" }),
  "a stream of another cluster": stream(({ learner }) => `message/${formatId(learner)}`, { "X-Etcd-Cluster-ID": "1" }),
  "a snapshot by GET": plain("GET", "/raft/snapshot"),
  "a snapshot of another cluster": snapshotPost(() => Buffer.alloc(8), { "X-Etcd-Cluster-ID": "1" }),
  "an empty snapshot": snapshotPost(() => Buffer.alloc(0)),
  "a snapshot that is cut short": snapshotPost(() => Buffer.from("0000000000000010ffff", "hex")),
  "a snapshot that is none": snapshotPost(() => Buffer.from("0000000000000002ffff", "hex")),
  "a snapshot that is an append": snapshotPost(({ learner, etcd }) =>
    framed(message({ type: "MsgApp", from: learner, to: etcd.id })),
  ),
  "the members": plain("GET", "/members"),
  "the members by POST": plain("POST", "/members"),
  "the members with a slash": plain("GET", "/members/"),
  "a path below the members": plain("GET", "/members/nonsense"),
  "a promotion by GET": plain("GET", "/members/promote/5"),
  "a promotion of a stranger": plain("POST", `/members/promote/${unknownId}`),
  "a promotion of no id": plain("POST", "/members/promote/abc"),
  "a promotion of nobody": plain("POST", "/members/promote/"),
  "a promotion of a voter": ({ etcd }) => plain("POST", `/members/promote/${etcd.id}`)({} as Pair),
  "a promotion of a learner that lags": ({ learner }) => plain("POST", `/members/promote/${learner}`)({} as Pair),
  "the version": plain("GET", "/version"),
  "the version by POST": plain("POST", "/version"),
  "a path below the version": plain("GET", "/version/more"),
  "a hash by POST": plain("POST", "/members/hashkv", '{"revision":0}'),
  "a renewal by GET": plain("GET", "/leases"),
  "a renewal": plain("POST", "/leases", LeaseKeepAliveRequest.encode({ ID: leaseId }).finish()),
  "a renewal of an unknown lease": plain("POST", "/leases", LeaseKeepAliveRequest.encode({ ID: unknownId }).finish()),
  "a renewal that is none": plain("POST", "/leases", Buffer.from("ffff", "hex")),
  "a renewal of nothing": plain("POST", "/leases", ""),
  "a path below the leases": plain("POST", "/leases/more", ""),
  "the time of a lease by GET": plain("GET", "/leases/internal"),
  "the time of an unknown lease": plain(
    "POST",
    "/leases/internal",
    LeaseInternalRequest.encode({ LeaseTimeToLiveRequest: { ID: unknownId, keys: false } }).finish(),
  ),
  "the time of a lease in a request that is none": plain("POST", "/leases/internal", Buffer.from("ffff", "hex")),
};

/** Where 3.4 differs, or crashes. */
const since35: Readonly<Record<string, Case>> = {
  "a message for another member": raftPost({}, ({ learner }) => message({ from: learner, to: 5n })),
  "a hash of another cluster": (pair) => ({
    ...plain("GET", "/members/hashkv", '{"revision":0}')(pair),
    headers: { "X-Etcd-Cluster-ID": "1" },
  }),
  "a hash of the future": plain("GET", "/members/hashkv", '{"revision":99999}'),
  "a hash that was compacted": plain("GET", "/members/hashkv", '{"revision":1}'),
  "a hash in a request that is none": plain("GET", "/members/hashkv", "nonsense"),
  "a hash in an empty request": plain("GET", "/members/hashkv", ""),
  "whether a downgrade is on": plain("GET", "/downgrade/enabled"),
  "whether a downgrade is on by POST": plain("POST", "/downgrade/enabled"),
};

for (const version of ["3.4", "3.5"] satisfies EtcdVersion[]) {
  const absent = etcdAbsence(version);
  describe.skipIf(absent)(absent ?? `answered as etcd ${version} does`, () => {
    let pair: Pair;
    beforeAll(async () => {
      pair = await startPair(version);
    });
    afterAll(async () => {
      await pair.ours.transport.close();
      await pair.etcd[Symbol.asyncDispose]();
    });

    it.each(Object.entries(version === "3.4" ? cases : { ...cases, ...since35 }))(
      "%s",
      async (_name, request) => {
        const expected = await rawRequest(pair.etcd.peerUrl, request(pair));
        const actual = await rawRequest(pair.ours.url, request(pair));
        expect(comparable(actual)).toEqual(comparable(expected));
      },
      timeoutMs,
    );

    it.each(["msgapp", "message"])(
      "a %s stream",
      async (kind) => {
        const request = stream(({ learner }) => `${kind}/${formatId(learner)}`)(pair);
        const [expected, actual] = await Promise.all([
          firstBytes(pair.etcd.peerUrl, request),
          firstBytes(pair.ours.url, request),
        ]);
        const head = ({ status, headers }: RawReply) => [
          status,
          headers["transfer-encoding"],
          headers["x-server-version"],
          headers["x-etcd-cluster-id"],
        ];
        expect(head(actual)).toEqual(head(expected));
      },
      timeoutMs,
    );
  });
}
