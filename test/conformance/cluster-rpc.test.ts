import { ClusterDefinition, KVDefinition, MaintenanceDefinition } from "@conclave/protocol/etcdserverpb";
import {
  type ClusterMember,
  type ClusterProcesses,
  etcdAbsence,
  type MemberProgram,
  startCluster,
} from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { createDriver, type Driver, type Outcome } from "./grpc-driver.ts";
import type { Method } from "./scenario.ts";

const absent = etcdAbsence("3.5");
const flags: readonly string[] = ["--heartbeat-interval=50", "--election-timeout=500"];
const sides: readonly MemberProgram[] = [
  { kind: "etcd", version: "3.5", flags },
  { kind: "conclave", flags },
];

const cluster = "/etcdserverpb.Cluster";
const methods = {
  list: method(`${cluster}/MemberList`, ClusterDefinition.methods.memberList),
  add: method(`${cluster}/MemberAdd`, ClusterDefinition.methods.memberAdd),
  remove: method(`${cluster}/MemberRemove`, ClusterDefinition.methods.memberRemove),
  update: method(`${cluster}/MemberUpdate`, ClusterDefinition.methods.memberUpdate),
  promote: method(`${cluster}/MemberPromote`, ClusterDefinition.methods.memberPromote),
  moveLeader: method("/etcdserverpb.Maintenance/MoveLeader", MaintenanceDefinition.methods.moveLeader),
  status: method("/etcdserverpb.Maintenance/Status", MaintenanceDefinition.methods.status),
  range: method("/etcdserverpb.KV/Range", KVDefinition.methods.range),
  put: method("/etcdserverpb.KV/Put", KVDefinition.methods.put),
};

function method(path: string, definition: Method["definition"]): Method {
  return { name: path, path, definition };
}

/** A cluster with a connection to each member, the leader's first. */
class Scene implements AsyncDisposable {
  readonly #cluster: ClusterProcesses;
  readonly #drivers: readonly Driver[];
  readonly members: readonly ClusterMember[];
  readonly ids: readonly bigint[];

  private constructor(cluster: ClusterProcesses, members: readonly ClusterMember[], ids: readonly bigint[]) {
    this.#cluster = cluster;
    this.members = members;
    this.ids = ids;
    this.#drivers = members.map(({ endpoint }) => createDriver(endpoint));
  }

  static async open(program: MemberProgram): Promise<Scene> {
    const cluster = await startCluster(program);
    const leader = await cluster.waitForLeader({ among: cluster.members });
    const members = [leader, ...cluster.members.filter((member) => member !== leader)];
    const statuses = await Promise.all(members.map((member) => member.status()));
    return new Scene(
      cluster,
      members,
      statuses.map(({ header }) => header.memberId),
    );
  }

  /** What a call to a member shows. */
  async ask(member: 0 | 1 | 2, which: keyof typeof methods, request: object = {}, hasLeader = false): Promise<unknown> {
    const driver = this.#drivers[member];
    const called = methods[which];
    if (driver === undefined) throw new TypeError("a scene has three members");
    const metadata = hasLeader ? { hasleader: "true" } : {};
    return this.#show(which, await driver.call(called, { ...emptyOf(called), ...request }, metadata).outcome);
  }

  /** As {@link ask}, until the cluster is no longer too young to be changed. */
  async askWhenReady(member: 0 | 1 | 2, which: keyof typeof methods, request: object): Promise<unknown> {
    for (let attempt = 0; attempt < 60; attempt++) {
      const shown = await this.ask(member, which, request);
      if (!JSON.stringify(shown).includes("unhealthy cluster")) return shown;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    throw new Error(`${which} is refused for ever`);
  }

  #show(which: string, outcome: Outcome): unknown {
    if (outcome.kind === "failure") return { which, status: outcome.status, text: outcome.text };
    const { members = [] } = outcome.message as { members?: readonly { ID: bigint; isLearner: boolean }[] };
    const shown = members.map(({ ID, isLearner }) => `${this.#nameOf(ID)}${isLearner ? " learns" : ""}`).sort();
    return { which, ...(members.length > 0 && { members: shown }) };
  }

  #nameOf(id: bigint): string {
    const at = this.ids.indexOf(id);
    return at === -1 ? "new" : `member ${at}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const driver of this.#drivers) driver.close();
    await this.#cluster[Symbol.asyncDispose]();
  }
}

function emptyOf({ definition }: Method): object {
  const codec = definition.requestType as unknown as { fromPartial(partial: object): object };
  return codec.fromPartial({});
}

/** Runs a scene on both sides and expects the same. */
async function compare(play: (scene: Scene) => Promise<readonly unknown[]>): Promise<void> {
  const [expected, actual] = await Promise.all(
    sides.map(async (side) => {
      await using scene = await Scene.open(side);
      return await play(scene);
    }),
  );
  expect(actual).toEqual(expected);
}

describe.skipIf(absent)(`the Cluster service answers as that of etcd 3.5 ${absent ?? ""}`, () => {
  test("to changes that are refused and made, whichever member is asked", () =>
    compare(async (scene) => {
      const url = (port: number) => [`http://127.0.0.1:${port}`];
      const shown = [
        await scene.ask(0, "list"),
        await scene.ask(1, "list", { linearizable: true }),
        await scene.ask(0, "add"),
        await scene.ask(0, "add", { peerURLs: ["nonsense"] }),
        await scene.askWhenReady(1, "add", { peerURLs: [scene.members[2]?.peerUrl] }),
        await scene.askWhenReady(1, "add", { peerURLs: url(1), isLearner: true }),
        await scene.ask(1, "add", { peerURLs: url(2), isLearner: true }),
        await scene.ask(0, "remove", { ID: 4_242n }),
        await scene.ask(1, "remove", { ID: 4_242n }),
        await scene.ask(0, "update", { ID: 4_242n, peerURLs: url(3) }),
        await scene.ask(1, "update", { ID: scene.ids[1], peerURLs: [scene.members[2]?.peerUrl] }),
        await scene.ask(0, "promote", { ID: 4_242n }),
        await scene.ask(1, "promote", { ID: 4_242n }),
        await scene.ask(0, "promote", { ID: scene.ids[1] }),
        await scene.ask(1, "promote", { ID: scene.ids[1] }),
      ];
      const added = await scene.ask(2, "list", { linearizable: true });
      return [...shown, added];
    }));

  test("to a leader that is to move", () =>
    compare(async (scene) => [
      await scene.ask(0, "moveLeader"),
      await scene.ask(0, "moveLeader", { targetID: 4_242n }),
      await scene.ask(1, "moveLeader", { targetID: scene.ids[2] }),
      await scene.ask(0, "moveLeader", { targetID: scene.ids[0] }),
      await scene.ask(0, "moveLeader", { targetID: scene.ids[1] }),
    ]));

  test("to a call that asks for a leader where there is none", () =>
    compare(async (scene) => {
      const key = Buffer.from("key");
      const before = await scene.ask(2, "put", { key }, true);
      await Promise.all(scene.members.slice(0, 2).map((member) => member.kill()));
      // A follower knows that its leader is gone when it has missed it for an election timeout.
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      return [
        before,
        await scene.ask(2, "put", { key }, true),
        await scene.ask(2, "range", { key }, true),
        await scene.ask(2, "range", { key, serializable: true }, true),
        await scene.ask(2, "range", { key, serializable: true }),
        await scene.ask(2, "list", { linearizable: false }),
        await scene.ask(2, "status"),
        await scene.ask(2, "moveLeader", { targetID: scene.ids[1] }),
      ];
    }));
});
