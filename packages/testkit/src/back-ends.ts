/** @module The servers that client and recipes must not tell apart. */
import { startEmbeddedCluster } from "./embedded-cluster.ts";
import { etcdAbsence, startEtcd } from "./etcd-process.ts";
import { startMember } from "./member.ts";

/** A server to test against. */
export interface BackEndMember extends AsyncDisposable {
  /** Where it serves clients, as `127.0.0.1:port`; of a cluster, where one of its members does. */
  readonly endpoint: string;
  /** Where each of its members serves clients. */
  readonly endpoints: readonly string[];
  /** Ends it, every member of it, and starts it again on the same addresses and data. */
  restart(): Promise<void>;
}

/** A kind of server. */
export interface BackEnd {
  /** What it is called in test names. */
  readonly name: string;
  /** Why it cannot be tested here; undefined if it can. */
  readonly absent: string | undefined;
  /** Starts one. */
  start(): Promise<BackEndMember>;
}

/** Every kind of server: a suite that runs on each proves that its subject runs unchanged on all of them. */
export function backEnds(): readonly BackEnd[] {
  return [
    { name: "an embedded member", absent: undefined, start: async () => alone(await startMember()) },
    { name: "etcd", absent: etcdAbsence(), start: async () => alone(await startEtcd()) },
    { name: "a cluster of three", absent: undefined, start: startThree },
  ];
}

function alone(member: Omit<BackEndMember, "endpoints">): BackEndMember {
  return {
    endpoint: member.endpoint,
    endpoints: [member.endpoint],
    restart: () => member.restart(),
    [Symbol.asyncDispose]: () => member[Symbol.asyncDispose](),
  };
}

async function startThree(): Promise<BackEndMember> {
  const cluster = await startEmbeddedCluster();
  const [first = ""] = cluster.endpoints;
  return {
    endpoint: first,
    endpoints: cluster.endpoints,
    async restart() {
      await Promise.all(cluster.members.map((member) => member.stop()));
      await Promise.all(cluster.members.map((member) => member.start()));
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}
