/** @module A real etcd as one member among others: its ids, its peer URL, and its client API to act on it. */
import { type EtcdProcess, type EtcdVersion, startEtcd } from "@conclave/testkit";

/** A member of a list that a real etcd gives. */
interface ListedMember {
  readonly ID: string;
  readonly peerURLs: readonly string[];
}

interface MemberReply {
  readonly header: { readonly cluster_id: string };
  readonly member: ListedMember;
  readonly members: readonly ListedMember[];
}

/** A real etcd and how other members know it. */
export interface EtcdMember extends AsyncDisposable {
  readonly process: EtcdProcess;
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly peerUrl: string;
  /** Adds a learner that is reached at a URL; returns its id. */
  addLearner(peerUrl: string): Promise<bigint>;
  /** Removes a member. */
  remove(id: bigint): Promise<void>;
  /** Writes a key. */
  put(key: string, value: string): Promise<void>;
  /** Calls the JSON gateway. */
  call(path: string, body: unknown): Promise<unknown>;
}

/** Starts a real etcd of one member. */
export async function startEtcdMember(version: EtcdVersion, flags: readonly string[] = []): Promise<EtcdMember> {
  const process = await startEtcd({ version, flags });
  const call = async (path: string, body: unknown) => {
    const reply = await fetch(`${process.url}/v3/${path}`, { method: "POST", body: JSON.stringify(body) });
    const answer: unknown = await reply.json();
    if (!reply.ok) throw new Error(`etcd answers ${path} with ${JSON.stringify(answer)}`);
    return answer;
  };
  const { header, members } = (await call("cluster/member/list", {})) as MemberReply;
  const [self] = members;
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return {
    process,
    id: BigInt(self?.ID ?? 0),
    clusterId: BigInt(header.cluster_id),
    peerUrl: self?.peerURLs[0] ?? "",
    call,
    async addLearner(peerUrl) {
      const reply = (await call("cluster/member/add", { peerURLs: [peerUrl], isLearner: true })) as MemberReply;
      return BigInt(reply.member.ID);
    },
    remove: async (id) => void (await call("cluster/member/remove", { ID: `${id}` })),
    put: async (key, value) => void (await call("kv/put", { key: base64(key), value: base64(value) })),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}
