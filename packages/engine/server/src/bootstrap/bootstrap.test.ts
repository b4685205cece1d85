import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { utf8Text } from "@conclave/base";
import { createMemoryBackend, type MemoryBackend } from "@conclave/mvcc";
import { Metadata } from "@conclave/protocol/etcdserverpb/metadata";
import { type ConfChange, confChangeOf, type Entry } from "@conclave/raft";
import { seededRandom, simulatedDisk, virtualTime } from "@conclave/testkit";
import { createWal, type FileSystem } from "@conclave/wal";
import { beforeEach, describe, expect, test } from "vitest";
import { writeConfState, writeConsistentIndex } from "../apply/applied-state.ts";
import { computeClusterId, computeMemberId, formatId } from "../consensus/ids.ts";
import { silentLog } from "../log.ts";
import { type ClusterMember, createMembership } from "../membership/membership.ts";
import { labPeers } from "../testing/peer-lab.ts";
import { type BootstrapOptions, bootstrap, type MemberState } from "./bootstrap.ts";
import { logSchemaField } from "./log-schema.ts";

const urls = { a: "http://a:1", b: "http://b:1", c: "http://c:1" };
const initialCluster = "c=http://c:1,a=http://a:1,b=http://b:1";
const ids = Object.values(urls).map((url) => computeMemberId([url], "token"));
const idOf = (name: keyof typeof urls): bigint => computeMemberId([urls[name]], "token");
const ascending = [...ids].sort((left, right) => (left < right ? -1 : 1));

let disk: FileSystem;
let backend: MemoryBackend;
beforeEach(() => {
  const scheduler = virtualTime();
  disk = simulatedDisk({ random: seededRandom(1), scheduler });
  backend = createMemoryBackend();
});

function options(more: Partial<BootstrapOptions> = {}): BootstrapOptions {
  return {
    memberDir: "/member",
    walDir: "/member/wal",
    name: "a",
    peerUrls: [urls.a],
    clusterToken: "token",
    initialCluster,
    initialClusterState: "new",
    forceNewCluster: false,
    electionTicks: 10,
    preVote: true,
    fileSystem: disk,
    random: seededRandom(1),
    peers: labPeers({}),
    resolver: { scheduler: virtualTime(), resolveHost: async (host) => host },
    log: silentLog,
    openBackend: async () => backend,
    restoreSnapshot: async () => false,
    onRepair: () => {},
    ...more,
  };
}

/** Lets raft write what it has to write, as the raft loop does. */
async function persist(state: MemberState, entries: readonly Entry[] = []): Promise<readonly Entry[]> {
  const ready = state.node.ready();
  await state.wal.save(ready.hardState, [...ready.entries, ...entries]);
  state.log.append([...ready.entries, ...entries]);
  for (const entry of ready.committedEntries) {
    const change = confChangeOf(entry);
    if (change !== undefined) state.node.applyConfChange(change);
  }
  state.node.advance(ready);
  return ready.entries;
}

function memberOf(id: bigint): ClusterMember {
  return { id, name: "", peerUrls: [`http://${id}:1`], clientUrls: [], isLearner: false };
}

/** Stops a member as if everything up to an index were applied, with these members. */
async function close(state: MemberState, applied: number, members: readonly bigint[] = []): Promise<void> {
  const membership = createMembership(backend);
  for (const id of members) membership.add(memberOf(id));
  if (applied > 0) {
    writeConsistentIndex(backend, applied, 1);
    writeConfState(backend, { ...state.node.confState, voters: members });
  }
  await backend.commit();
  await state.wal.close();
}

function describeChange(entry: Entry): string {
  const { type, nodeId, id, context } = confChangeOf(entry) as ConfChange;
  return `${entry.term}/${entry.index} ${id} ${type} ${formatId(nodeId)} ${utf8Text(context)}`.trim();
}

describe("a log", () => {
  /** Founds a log whose metadata tells of a layout. */
  async function found(layout: number | undefined): Promise<void> {
    const writer = new BinaryWriter();
    if (layout !== undefined) writer.tag(logSchemaField, 0).uint64(layout);
    const identity = Metadata.encode({ NodeID: idOf("a"), ClusterID: computeClusterId(ids) }).finish();
    await disk.makeDirectory("/member", 0o700);
    const metadata = Buffer.concat([identity, writer.finish()]);
    await (await createWal({ fileSystem: disk, directory: "/member/wal", metadata })).close();
  }

  test.each([undefined, 1])("of etcd's layout is opened, be it marked or not: %s", async (layout) => {
    await found(layout);
    const state = await bootstrap(options());
    expect(state.memberId).toBe(idOf("a"));
    await state.wal.close();
  });

  test("of a newer layout is refused", async () => {
    await found(2);
    await expect(bootstrap(options())).rejects.toMatchObject({
      code: "DATA_DIR_MISMATCH",
      message:
        "Cannot start as the write-ahead log '/member/wal' was written by a newer version of Conclave: its layout is 2, and this version reads up to 1",
    });
  });
});

describe("founding", () => {
  test("gives every founder the same ids and the same first entries, in the order of the ids", async () => {
    const logs: string[][] = [];
    for (const name of ["a", "b", "c"] as const) {
      const memberDir = `/${name}`;
      const own = { name, peerUrls: [urls[name]], memberDir, walDir: `${memberDir}/wal`, fileSystem: disk };
      const state = await bootstrap(options({ ...own, openBackend: async () => createMemoryBackend() }));
      expect(state.memberId).toBe(idOf(name));
      expect(state.clusterId).toBe(computeClusterId(ids));
      expect(state.peers.map(({ id }) => id)).toEqual(ascending.filter((id) => id !== state.memberId));
      expect(state.node.confState.voters).toEqual(ascending);
      logs.push((await persist(state)).map(describeChange));
    }
    const entry = (id: bigint, at: number): string => {
      const name = (["a", "b", "c"] as const).find((candidate) => idOf(candidate) === id) ?? "a";
      return `1/${at + 1} 0 addNode ${formatId(id)} {"id":${id},"peerURLs":["${urls[name]}"],"name":"${name}"}`;
    };
    expect(logs[0]).toEqual(ascending.map(entry));
    expect(logs[1]).toEqual(logs[0]);
    expect(logs[2]).toEqual(logs[0]);
  });

  test("has nobody else by default", async () => {
    const state = await bootstrap(options({ initialCluster: "" }));
    expect(state.peers).toEqual([]);
    expect(state.node.confState.voters).toEqual([idOf("a")]);
  });

  test("begins again if a crash came before the first entries were written", async () => {
    await close(await bootstrap(options()), 0);
    const again = await bootstrap(options());
    expect((await persist(again)).length).toBe(3);
    expect(again.clusterId).toBe(computeClusterId(ids));
  });

  test.each([
    [{ name: "d" }, "it does not name this member, 'd'"],
    [{ peerUrls: ["http://z:1"] }, "but --initial-advertise-peer-urls is http://z:1"],
  ])("refuses what contradicts itself and leaves no trace: %j", async (more, reason) => {
    await expect(bootstrap(options(more))).rejects.toThrow(reason);
    expect(await disk.exists("/member")).toBe(false);
  });

  test("refuses to found a cluster that runs already without this member's data", async () => {
    const peers = labPeers({
      [urls.b]: {
        members: [{ id: idOf("a"), name: "a", peerUrls: [urls.a], clientUrls: ["http://a:2"], isLearner: false }],
      },
    });
    await expect(bootstrap(options({ peers }))).rejects.toMatchObject({
      code: "JOIN",
      message: `Cannot found the cluster as member ${formatId(idOf("a"))} of it has already been bootstrapped: its data directory is missing here`,
    });
  });
});

describe("joining", () => {
  const member = (id: bigint, url: string) => ({ id, name: "", peerUrls: [url], clientUrls: [], isLearner: false });
  const peers = labPeers({
    [urls.b]: {
      clusterId: 9n,
      members: [member(5n, urls.a), member(6n, urls.b)],
      version: { server: "3.6.0", cluster: "3.6.0" },
    },
  });
  const joining = () => options({ peers, initialClusterState: "existing", initialCluster: `a=${urls.a},b=${urls.b}` });

  test("takes its ids from the cluster and waits for the log", async () => {
    const state = await bootstrap(joining());
    expect(state).toMatchObject({ memberId: 5n, clusterId: 9n });
    expect(state.peers.map(({ id }) => id)).toEqual([6n]);
    expect(state.node.confState.voters).toEqual([]);
    expect(state.node.hasReady()).toBe(false);
  });

  test("does not found anything when it starts again before the log came", async () => {
    await close(await bootstrap(joining()), 0);
    const again = await bootstrap(options({ initialCluster: `a=${urls.a}` }));
    expect(again).toMatchObject({ memberId: 5n, clusterId: 9n });
    expect(again.node.hasReady()).toBe(false);
  });

  test("starts again in the middle of the log, before the entry that added it", async () => {
    const first = await bootstrap(joining());
    const data = new Uint8Array();
    await first.wal.save({ term: 3, vote: 0n, commit: 1 }, [{ type: "normal", term: 2, index: 1, data }]);
    await close(first, 1, [6n]);
    expect(await bootstrap(joining())).toMatchObject({ memberId: 5n, applied: 1 });
  });

  test("leaves no trace if nobody answers", async () => {
    await expect(bootstrap(options({ initialClusterState: "existing" }))).rejects.toMatchObject({ code: "JOIN" });
    expect(await disk.exists("/member")).toBe(false);
  });
});

describe("starting again", () => {
  test("goes by the data directory, whatever the options say of the cluster", async () => {
    const first = await bootstrap(options());
    await persist(first);
    await close(first, 3, ascending);
    const again = await bootstrap(
      options({ initialCluster: "nonsense", name: "other", peerUrls: [], clusterToken: "" }),
    );
    expect(again).toMatchObject({ memberId: idOf("a"), clusterId: computeClusterId(ids), applied: 3 });
    expect(again.peers.map(({ id }) => id)).toEqual(ascending.filter((id) => id !== idOf("a")));
    expect(again.node.confState.voters).toEqual(ascending);
  });

  test("refuses to go on as a member that was removed", async () => {
    const first = await bootstrap(options());
    await persist(first);
    await close(first, 3, ascending);
    createMembership(backend).remove(idOf("a"));
    await expect(bootstrap(options())).rejects.toMatchObject({
      code: "REMOVED",
      message: `Cannot start as member ${formatId(idOf("a"))} ('a') was removed from cluster ${formatId(computeClusterId(ids))}: remove its data directory, then add it as a new member`,
    });
  });

  test("refuses the store of another member", async () => {
    const first = await bootstrap(options());
    await persist(first);
    await close(first, 3, [77n]);
    await expect(bootstrap(options())).rejects.toMatchObject({
      code: "DATA_DIR_MISMATCH",
      message: `Cannot start as log and store in '/member' belong to different members: the log is of ${formatId(idOf("a"))}, the store knows 4d`,
    });
  });

  test("refuses a cluster of a newer version", async () => {
    const first = await bootstrap(options());
    await persist(first);
    await close(first, 3, ascending);
    createMembership(backend).setClusterVersion("3.7.0");
    await expect(bootstrap(options())).rejects.toThrow(
      "Cannot start as the cluster has agreed on version 3.7.0 and this member speaks 3.6.0",
    );
  });

  test("finishes the replacement of the store by a snapshot that a crash interrupted", async () => {
    const confState = { voters: ascending, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
    const first = await bootstrap(options());
    await persist(first);
    await first.wal.saveSnapshot({ index: 40, term: 2, confState });
    await first.wal.save({ term: 2, vote: 0n, commit: 40 }, []);
    await close(first, 3, ascending);
    const restored: number[] = [];
    const again = await bootstrap(
      options({
        restoreSnapshot: async (store, index) => {
          restored.push(index);
          await store.replace((async function* () {})());
          const membership = createMembership(store);
          for (const id of ascending) membership.add(memberOf(id));
          return true;
        },
      }),
    );
    expect(restored).toEqual([40]);
    expect(again).toMatchObject({ applied: 40, confState, snapshot: { index: 40, term: 2 } });
  });
});

describe("--force-new-cluster", () => {
  test("drops what was not committed and leaves this member alone, with its ids", async () => {
    const first = await bootstrap(options());
    const command = (index: number): Entry => ({ type: "normal", term: 2, index, data: new Uint8Array([index]) });
    await persist(first, []);
    await first.wal.save({ term: 2, vote: idOf("a"), commit: 4 }, [command(4), command(5)]);
    await close(first, 3, ascending);

    const forced = await bootstrap(options({ forceNewCluster: true }));
    expect(forced).toMatchObject({ memberId: idOf("a"), clusterId: computeClusterId(ids) });
    expect(forced.node.status).toMatchObject({ commit: 6, lastIndex: 6 });
    const others = ascending.filter((id) => id !== idOf("a"));
    const appended = forced.log.entries({ start: 5, end: 7 }, Number.POSITIVE_INFINITY) ?? [];
    expect(appended.map(describeChange)).toEqual(others.map((id, at) => `2/${5 + at} 0 removeNode ${formatId(id)}`));
    await forced.wal.close();

    const again = await bootstrap(options());
    expect(again.node.status).toMatchObject({ commit: 6, lastIndex: 6 });
  });

  test("founds a cluster where there is none", async () => {
    const state = await bootstrap(options({ forceNewCluster: true, initialCluster: "" }));
    expect(state.node.confState.voters).toEqual([idOf("a")]);
  });
});
