import { utf8, utf8Text } from "@conclave/base";
import { GrpcStatus } from "@conclave/protocol";
import type { LeaderKey, LeaderResponse } from "@conclave/protocol/v3electionpb";
import { describe, expect, test } from "vitest";
import { coordinationLab, labCall, labResponses } from "../testing/coordination-lab.ts";
import { ElectionService } from "./election-service.ts";

const plain = (message: string) => expect.objectContaining({ name: "RpcError", status: GrpcStatus.Unknown, message });

function describeLeader({ header, kv }: LeaderResponse): string {
  const { key, value, createRevision } = kv ?? { key: utf8(""), value: utf8(""), createRevision: 0 };
  return `rev=${header?.revision} ${utf8Text(key)}=${utf8Text(value)} since=${createRevision}`;
}

function describeKey(leader: LeaderKey | undefined): string {
  if (leader === undefined) return "nobody";
  return `${utf8Text(leader.name)}: ${utf8Text(leader.key)} rev=${leader.rev} lease=${leader.lease}`;
}

/** A lab with the leases 0xa, 0xb and 0xc, and what has become of every campaign. */
function electionLab() {
  const lab = coordinationLab();
  for (const id of [0xan, 0xbn, 0xcn]) lab.grant(id);
  const service = new ElectionService(lab.parts);
  const name = utf8("E");
  const campaign = (lease: bigint, value: string) => {
    const { call, cancel } = labCall();
    const state = { leader: undefined as LeaderKey | undefined, revision: 0, error: undefined as unknown, cancel };
    void service.campaign({ name, lease, value: utf8(value) }, call).then(
      ({ leader, header }) => {
        state.leader = leader;
        state.revision = header?.revision ?? 0;
      },
      (error: unknown) => {
        state.error = error;
      },
    );
    return state;
  };
  const win = async (lease: bigint, value: string): Promise<LeaderKey> => {
    const { leader } = await service.campaign({ name, lease, value: utf8(value) }, labCall().call);
    if (leader === undefined) throw new Error("no leader key");
    return leader;
  };
  const observe = () => {
    const { written, responses } = labResponses<LeaderResponse>();
    const { call, cancel } = labCall();
    const ended = service.observe({ name }, responses, call).catch((error: unknown) => error);
    return { take: () => written.splice(0).map(describeLeader), cancel, ended };
  };
  const leader = async () => describeLeader(await service.leader({ name }, labCall().call));
  const proclaim = (key: LeaderKey | undefined, value: string) =>
    service.proclaim({ leader: key, value: utf8(value) }, labCall().call);
  const resign = (key: LeaderKey | undefined) => service.resign({ leader: key }, labCall().call);
  return { ...lab, campaign, win, observe, leader, proclaim, resign };
}

describe("campaign", () => {
  test("the first candidate leads; the others follow in the order in which they came", async () => {
    const lab = electionLab();
    const [a, b] = [lab.campaign(0xan, "va"), lab.campaign(0xbn, "vb")];
    await lab.settle();
    expect(describeKey(a.leader)).toBe("E: E/a rev=2 lease=10");
    expect(b.leader).toBeUndefined();
    expect(lab.keys()).toEqual(["E/a=va", "E/b=vb"]);

    await lab.resign(a.leader);
    await lab.settle();
    expect(describeKey(b.leader)).toBe("E: E/b rev=3 lease=11");
    expect(b.revision).toBe(3);
  });

  test("a candidate who leads already is told so, and has his value changed", async () => {
    const lab = electionLab();
    await lab.win(0xan, "va");
    expect((await lab.win(0xan, "va")).rev).toBe(2n);
    expect(lab.store.currentRevision).toBe(2);
    expect((await lab.win(0xan, "new")).rev).toBe(2n);
    expect(lab.keys()).toEqual(["E/a=new"]);
  });

  test("without a lease one is granted", async () => {
    expect((await electionLab().win(0n, "v")).lease).toBe(0x7001n);
  });

  test("an unknown lease is refused", async () => {
    await expect(electionLab().win(0x99n, "v")).rejects.toEqual(plain("etcdserver: requested lease not found"));
  });

  test("a candidate who gives up, or whose lease ends, is out of the queue at once", async () => {
    const lab = electionLab();
    await lab.win(0xan, "va");
    const [b, c] = [lab.campaign(0xbn, "vb"), lab.campaign(0xcn, "vc")];
    await lab.settle();
    b.cancel();
    lab.revoke(0xcn);
    await lab.settle();
    expect(b.error).toEqual(expect.objectContaining({ status: GrpcStatus.Canceled }));
    expect(c.error).toEqual(plain("election: not leader"));
    expect(lab.keys()).toEqual(["E/a=va"]);
    expect(lab.hub.stats.streams).toBe(0);
  });
});

describe("proclaim and resign", () => {
  test("only the leader changes his value", async () => {
    const lab = electionLab();
    const leader = await lab.win(0xan, "1");
    expect((await lab.proclaim(leader, "2")).header?.revision).toBe(3);
    expect(await lab.leader()).toBe("rev=3 E/a=2 since=2");
    await expect(lab.proclaim({ ...leader, rev: 1n }, "3")).rejects.toEqual(plain("election: not leader"));
    await expect(lab.proclaim({ ...leader, key: utf8("E/z") }, "3")).rejects.toEqual(plain("election: not leader"));
    await expect(lab.proclaim({ ...leader, lease: 0x99n }, "3")).rejects.toEqual(
      plain("etcdserver: requested lease not found"),
    );
    expect(lab.keys()).toEqual(["E/a=2"]);
  });

  test("resigning twice, or for another, does nothing", async () => {
    const lab = electionLab();
    const leader = await lab.win(0xan, "1");
    await lab.resign({ ...leader, rev: 1n });
    expect(lab.keys()).toEqual(["E/a=1"]);
    await lab.resign(leader);
    await lab.win(0xan, "again");
    await lab.resign(leader);
    expect(lab.keys()).toEqual(["E/a=again"]);
  });

  test("the leader's key must be given", async () => {
    const lab = electionLab();
    const missing = plain('"leader" field must be provided');
    await expect(lab.proclaim(undefined, "v")).rejects.toEqual(missing);
    await expect(lab.resign(undefined)).rejects.toEqual(missing);
  });
});

describe("leader and observe", () => {
  test("no leader is an error for who asks, and a wait for who observes", async () => {
    const lab = electionLab();
    await expect(lab.leader()).rejects.toEqual(plain("election: no leader"));
    const observer = lab.observe();
    await lab.settle();
    expect(observer.take()).toEqual([]);
    await lab.win(0xan, "va");
    await lab.settle();
    expect(observer.take()).toEqual(["rev=2 E/a=va since=2"]);
  });

  test("an observer is told of the leader there is, of every value and of every leader after him", async () => {
    const lab = electionLab();
    const leader = await lab.win(0xan, "1");
    const observer = lab.observe();
    await lab.settle();
    expect(observer.take()).toEqual(["rev=2 E/a=1 since=2"]);

    await lab.proclaim(leader, "2");
    lab.campaign(0xbn, "vb");
    await lab.proclaim(leader, "3");
    await lab.settle();
    expect(observer.take()).toEqual(["rev=3 E/a=2 since=2", "rev=5 E/a=3 since=2"]);

    lab.revoke(0xan);
    await lab.settle();
    expect(observer.take()).toEqual(["rev=6 E/b=vb since=4"]);

    lab.revoke(0xbn);
    await lab.settle();
    expect(observer.take()).toEqual([]);
    await lab.win(0xcn, "vc");
    await lab.settle();
    expect(observer.take()).toEqual(["rev=8 E/c=vc since=8"]);
  });

  test("a candidate who comes first after a gap, and one who comes later, are not confused", async () => {
    const lab = electionLab();
    const observer = lab.observe();
    await lab.settle();
    lab.put("E/gone");
    lab.delete("E/gone");
    lab.put("E/b", "second");
    lab.put("E/a", "third");
    await lab.settle();
    expect(observer.take()).toEqual(["rev=5 E/b=second since=4"]);
  });

  test("an observer who cancels ends, and leaves no watch behind", async () => {
    const lab = electionLab();
    await lab.win(0xan, "va");
    const observer = lab.observe();
    await lab.settle();
    observer.cancel();
    expect(await observer.ended).toEqual(expect.objectContaining({ status: GrpcStatus.Canceled }));
    expect(lab.hub.stats).toEqual({ streams: 0, watchers: 0, slowWatchers: 0 });
  });
});
