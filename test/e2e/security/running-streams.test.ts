/**
 * @module What becomes of streams that run while their user's password, roles or tokens change; the same held against
 * etcd, which lets most of them go on.
 */
import { etcdAbsence, startEtcd } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytes, GuardedMember, nextOf, type StreamOfOne, secrets } from "./guarded-member.ts";

const authTokenTtl = 3;
const user = { name: "ann" };
const role = { role: "ann" };
const permission = { key: bytes("b"), rangeEnd: bytes("d") };

type Calls = readonly (readonly [method: string, request: object])[];

/** A change of what a user is or may, and what becomes of his streams. */
interface Change {
  readonly title: string;
  readonly calls: Calls;
  /** What takes it back. */
  readonly undo: Calls;
  /** How long to wait for it, in milliseconds. */
  readonly waitMs?: number;
  readonly conclave: Streams;
  readonly etcd35: Streams;
}

/** What becomes of a watch, and of a stream that renews a lease on which a key hangs. */
interface Streams {
  readonly watch: string;
  readonly keepAlive: string;
}

const goOn: Streams = { watch: "goes on", keepAlive: "goes on" };
const refusal = "etcdserver: permission denied";
const end: Streams = { watch: `rpc error: code = PermissionDenied desc = ${refusal}`, keepAlive: refusal };
/** etcd 3.5 asks for a good token at each renewal, and lets every watch go on. */
const keepToken = { conclave: goOn, etcd35: { ...goOn, keepAlive: "etcdserver: invalid auth token" } };
const keepPermission = { conclave: end, etcd35: { ...goOn, keepAlive: refusal } };

const grantBack = ["Auth.RoleGrantPermission", { name: "ann", perm: { permType: 2, ...permission } }] as const;
const addRole = ["Auth.UserGrantRole", { user: "ann", role: "ann" }] as const;
const changes: readonly Change[] = [
  { title: "his token has run out", calls: [], undo: [], waitMs: 5_500, ...keepToken },
  {
    title: "his password has changed",
    calls: [["Auth.UserChangePassword", { ...user, password: secrets.value }]],
    undo: [["Auth.UserChangePassword", { ...user, password: secrets.ann }]],
    ...keepToken,
  },
  {
    title: "another user has changed",
    calls: [["Auth.UserAdd", { name: "bob", password: secrets.value }]],
    undo: [["Auth.UserDelete", { name: "bob" }]],
    ...{ conclave: goOn, etcd35: goOn },
  },
  {
    title: "the permission was taken from his role",
    calls: [["Auth.RoleRevokePermission", { ...role, ...permission }]],
    undo: [grantBack],
    ...keepPermission,
  },
  {
    title: "he has lost the role",
    calls: [["Auth.UserRevokeRole", { ...user, ...role }]],
    undo: [addRole],
    ...keepPermission,
  },
  {
    title: "the role was deleted",
    calls: [["Auth.RoleDelete", role]],
    undo: [["Auth.RoleAdd", { name: "ann" }], addRole, grantBack],
    ...keepPermission,
  },
  {
    title: "he was deleted",
    calls: [["Auth.UserDelete", user]],
    undo: [["Auth.UserAdd", { ...user, password: secrets.ann }], addRole],
    conclave: end,
    etcd35: { ...goOn, keepAlive: "etcdserver: invalid auth token" },
  },
];

interface Side {
  readonly kind: string;
  readonly absent?: string | undefined;
  start(): Promise<GuardedMember>;
  expected(change: Change): Streams;
}

const startGuardedEtcd = async (version: "3.4" | "3.5") =>
  GuardedMember.over(await startEtcd({ version, flags: [`--auth-token-ttl=${authTokenTtl}`] }));
const sides: readonly Side[] = [
  { kind: "Conclave", start: () => GuardedMember.start({ authTokenTtl }), expected: (change) => change.conclave },
  { kind: "etcd 3.4", absent: etcdAbsence("3.4"), start: () => startGuardedEtcd("3.4"), expected: () => goOn },
  {
    kind: "etcd 3.5",
    absent: etcdAbsence("3.5"),
    start: () => startGuardedEtcd("3.5"),
    expected: (change) => change.etcd35,
  },
];

for (const { kind, absent, start, expected } of sides) {
  describe.skipIf(absent)(`the streams of a user of ${kind} ${absent ?? ""}`, () => {
    let subject: GuardedMember;
    beforeAll(async () => {
      subject = await start();
    });
    afterAll(() => subject[Symbol.asyncDispose]());
    const asRoot = async (method: string, request: object): Promise<object> =>
      subject.must(method, request, await subject.login("root", secrets.root));

    /** Opens a stream in which something has been answered already. */
    const opened = async (method: string, request: object): Promise<StreamOfOne> => {
      const open = subject.open(method, await subject.login("ann", secrets.ann));
      open.send(request);
      expect(await nextOf(open.stream)).toHaveLength(1);
      return open;
    };

    test.each(changes)("once $title", async (change) => {
      const { ID } = (await asRoot("Lease.LeaseGrant", { TTL: 600n })) as { readonly ID: bigint };
      await asRoot("KV.Put", { key: bytes("c"), lease: ID });
      const watch = await opened("Watch.Watch", { requestUnion: { $case: "createRequest", value: permission } });
      const keepAlive = await opened("Lease.LeaseKeepAlive", { ID });
      for (const [method, request] of change.calls) await asRoot(method, request);
      await new Promise((resolve) => setTimeout(resolve, change.waitMs ?? 0));
      await asRoot("KV.Put", { key: bytes("b"), value: bytes("x") });
      keepAlive.send({ ID });
      const seen = { watch: await outcomeOf(watch), keepAlive: await outcomeOf(keepAlive) };
      for (const { stream } of [watch, keepAlive]) stream.cancel();
      for (const [method, request] of change.undo) await asRoot(method, request);
      expect(seen).toEqual(expected(change));
    });
  });
}

/** What a stream brings next. */
async function outcomeOf({ stream }: StreamOfOne): Promise<string> {
  const [message] = (await nextOf(stream)) as readonly {
    readonly canceled?: boolean;
    readonly cancelReason?: string;
  }[];
  if (message === undefined) return (stream.ended() as { readonly text: string }).text;
  return message.canceled === true ? (message.cancelReason ?? "") : "goes on";
}
