/** @module Ways around a permission: ranges that reach beyond it, nested transactions, watches, leases, answers that differ. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, bytes, GuardedMember, nextOf, secrets } from "./guarded-member.ts";

const permissionDenied = { kind: "failure", status: 7, text: "etcdserver: permission denied" };
const keys = (key: string, rangeEnd = "") => ({ key: bytes(key), rangeEnd: bytes(rangeEnd) });
const op = ($case: string, value: object) => ({ request: { $case, value } });
const isVersion = (key: string) => ({
  ...keys(key),
  target: 0,
  result: 0,
  targetUnion: { $case: "version", value: 0n },
});

let subject: GuardedMember;
let [root, ann]: readonly [string, string] = ["", ""];
beforeAll(async () => {
  subject = await GuardedMember.start();
  [root, ann] = [await subject.login("root", secrets.root), await subject.login("ann", secrets.ann)];
});
afterAll(() => subject[Symbol.asyncDispose]());
const asAnn = (method: string, request: object): Promise<Answer> => subject.ask(method, request, ann);

describe("ranges that only partly overlap the permission for [b, d)", () => {
  const beyond: readonly (readonly [title: string, key: string, rangeEnd: string])[] = [
    ["on the left", "a", "c"],
    ["on the right", "c", "e"],
    ["by one key", "b", "d\0"],
    ["around it", "a", "z"],
    ["from a key on", "b", "\0"],
    ["everything", "\0", "\0"],
    ["the key behind it", "d", ""],
    ["empty, from the key behind it", "d", "b"],
  ];
  test.each(beyond)("%s", async (_title, key, rangeEnd) => {
    const range = keys(key, rangeEnd);
    expect(await asAnn("KV.Range", range)).toEqual(permissionDenied);
    expect(await asAnn("KV.Range", { ...range, serializable: true })).toEqual(permissionDenied);
    expect(await asAnn("KV.Range", { ...range, countOnly: true })).toEqual(permissionDenied);
    expect(await asAnn("KV.Range", { ...range, keysOnly: true, limit: 1n })).toEqual(permissionDenied);
    expect(await asAnn("KV.Range", { ...range, revision: 1_000n })).toEqual(permissionDenied);
    expect(await asAnn("KV.RangeStream", range)).toEqual(permissionDenied);
    expect(await asAnn("KV.DeleteRange", range)).toEqual(permissionDenied);
    const watched = await asAnn("Watch.Watch", { requestUnion: { $case: "createRequest", value: range } });
    expect(watched).toMatchObject({ text: expect.stringContaining("permission denied") });
  });

  test("within it all is allowed", async () => {
    for (const [key, rangeEnd] of [["b"], ["c\xff"], ["b", "d"], ["bb", "cc"], ["c", "b"]] as const)
      expect(await asAnn("KV.Range", keys(key, rangeEnd))).toMatchObject({ kind: "reply" });
    expect(await asAnn("KV.Put", { key: bytes("b"), value: bytes("mine"), prevKv: true })).toMatchObject({
      kind: "reply",
    });
  });
});

describe("transactions that hide a forbidden operation", () => {
  const forbidden: readonly (readonly [title: string, operation: object])[] = [
    ["a read", op("requestRange", keys("secret"))],
    ["a count", op("requestRange", { ...keys("secret"), countOnly: true })],
    ["a read that reaches beyond", op("requestRange", keys("b", "e"))],
    ["a put", op("requestPut", { key: bytes("secret"), value: bytes("x") })],
    ["a put where only reading is allowed", op("requestPut", { key: bytes("r"), value: bytes("x") })],
    ["a put that shows what was there", op("requestPut", { key: bytes("w"), value: bytes("x"), prevKv: true })],
    ["a deletion", op("requestDeleteRange", keys("secret"))],
    ["a deletion from a key on", op("requestDeleteRange", keys("b", "\0"))],
    ["a deletion that shows what was there", op("requestDeleteRange", { ...keys("w"), prevKv: true })],
  ];
  const nested = (operation: object, depth: number): object =>
    depth === 0 ? operation : op("requestTxn", { compare: [isVersion("b")], failure: [nested(operation, depth - 1)] });

  test.each(forbidden)("%s", async (_title, operation) => {
    const allowed = op("requestPut", { key: bytes("c"), value: bytes("slipped through") });
    for (const txn of [
      { success: [operation] },
      { failure: [operation] },
      { compare: [isVersion("b")], success: [allowed], failure: [allowed, operation] },
      { success: [nested(operation, 1)] },
      { failure: [nested(operation, 3)] },
    ])
      expect(await asAnn("KV.Txn", txn)).toEqual(permissionDenied);
    expect(await subject.must("KV.Range", keys("c"), root)).toMatchObject({ kvs: [] });
  });

  test("a compare as an oracle", async () => {
    for (const compare of [isVersion("secret"), { ...isVersion("b"), rangeEnd: bytes("e") }, isVersion("w")]) {
      expect(await asAnn("KV.Txn", { compare: [compare] })).toEqual(permissionDenied);
      expect(await asAnn("KV.Txn", { success: [op("requestTxn", { compare: [compare] })] })).toEqual(permissionDenied);
    }
  });
});

describe("what is there and what is not are refused alike", () => {
  test.each([
    ["KV.Range", keys("secret"), keys("absent")],
    ["KV.Put", { ...keys("secret"), ignoreValue: true }, { ...keys("absent"), ignoreValue: true }],
    ["KV.DeleteRange", { ...keys("secret"), prevKv: true }, { ...keys("absent"), prevKv: true }],
    ["Auth.UserGet", { name: "root" }, { name: "absent" }],
    ["Auth.UserAdd", { name: "root", password: "x" }, { name: "absent", password: "x" }],
    ["Auth.UserDelete", { name: "root" }, { name: "absent" }],
    ["Auth.UserChangePassword", { name: "root", password: "x" }, { name: "absent", password: "x" }],
    ["Auth.RoleGet", { role: "root" }, { role: "absent" }],
    ["Auth.RoleDelete", { role: "root" }, { role: "absent" }],
    ["Election.Leader", { name: bytes("secret") }, { name: bytes("absent") }],
  ] as const)("%s", async (method, existing, absent) => {
    const refusal = await asAnn(method, existing);
    expect(refusal).toMatchObject({ kind: "failure", text: expect.stringContaining("permission denied") });
    expect(await asAnn(method, absent)).toEqual(refusal);
  });

  test("logins: a wrong password, nobody of that name, a user who has none", async () => {
    await subject.must("Auth.UserAdd", { name: "machine", options: { noPassword: true } }, root);
    const tries = ["ann", "absent", "machine", ""].map((name) =>
      subject.ask("Auth.Authenticate", { name, password: "x" }),
    );
    const text = "etcdserver: authentication failed, invalid user ID or password";
    for (const answer of await Promise.all(tries)) expect(answer).toEqual({ kind: "failure", status: 3, text });
  });
});

describe("leases", () => {
  test("who may not write a key can neither renew, revoke nor look at its lease, nor join it", async () => {
    await subject.must("Lease.LeaseGrant", { ID: 11n, TTL: 600n }, root);
    await subject.must("Lease.LeaseGrant", { ID: 12n, TTL: 600n }, ann);
    await subject.must("KV.Put", { ...keys("secret-of-lease"), lease: 11n }, root);
    expect(await asAnn("Lease.LeaseKeepAlive", { ID: 11n })).toEqual(permissionDenied);
    expect(await asAnn("Lease.LeaseRevoke", { ID: 11n })).toEqual(permissionDenied);
    expect(await asAnn("Lease.LeaseTimeToLive", { ID: 11n, keys: true })).toEqual(permissionDenied);
    expect(await asAnn("Lease.LeaseLeases", {})).toEqual(permissionDenied);
    expect(await asAnn("KV.Put", { ...keys("b"), lease: 11n })).toEqual(permissionDenied);
    expect(await asAnn("KV.Txn", { success: [op("requestPut", { ...keys("b"), lease: 11n })] })).toEqual(
      permissionDenied,
    );
    expect(await asAnn("Lease.LeaseKeepAlive", { ID: 12n })).toMatchObject({ message: { TTL: 600 } });
    expect(await asAnn("Lease.LeaseRevoke", { ID: 12n })).toMatchObject({ kind: "reply" });
  });
});

describe("streams that run while permissions change", () => {
  const create = (key: string, rangeEnd = "") => ({
    requestUnion: { $case: "createRequest", value: keys(key, rangeEnd) },
  });

  test("a watch is cancelled, with the reason, and shows nothing of what follows", async () => {
    const { stream, send } = subject.open("Watch.Watch", ann);
    send(create("b", "d"));
    expect(await nextOf(stream)).toMatchObject([{ created: true, canceled: false }]);
    send(create("r"));
    expect(await nextOf(stream)).toMatchObject([{ created: true, canceled: false, watchId: 1n }]);
    await subject.must("Auth.RoleRevokePermission", { role: "ann", ...keys("b", "d") }, root);
    await subject.must("KV.Put", { ...keys("b"), value: bytes(secrets.value) }, root);
    const [cancelled, ...more] = await nextOf(stream);
    expect(cancelled).toMatchObject({
      watchId: 0n,
      canceled: true,
      cancelReason: "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
    });
    expect(more).toEqual([]);
    await subject.must("KV.Put", { ...keys("r"), value: bytes("still shown") }, root);
    expect(await nextOf(stream)).toMatchObject([{ watchId: 1n, events: [{ type: 0 }] }]);
    stream.cancel();
    await subject.must("Auth.RoleGrantPermission", { name: "ann", perm: { permType: 2, ...keys("b", "d") } }, root);
  });

  test("whoever observes an election is refused from then on, and so is whoever waits for a lock", async () => {
    const { ID: lease } = await subject.must<{ ID: bigint }>("Lease.LeaseGrant", { TTL: 600n }, root);
    await subject.must("Lock.Lock", { name: bytes("c-lock"), lease }, root);
    await subject.must("Election.Campaign", { name: bytes("c-election"), lease, value: bytes("1") }, root);
    const waiting = asAnn("Lock.Lock", { name: bytes("c-lock") });
    const observed = subject.open("Election.Observe", ann);
    observed.send({ name: bytes("c-election") });
    observed.stream.end();
    expect(await nextOf(observed.stream)).toHaveLength(1);
    // The lock is waited for once its key is there.
    await expect
      .poll(async () => (await subject.must<{ count: number }>("KV.Range", keys("c-lock", "c-locl"), root)).count)
      .toBe(2);
    await subject.must("Auth.UserRevokeRole", { name: "ann", role: "ann" }, root);
    expect(await waiting).toMatchObject({ kind: "failure", text: "etcdserver: permission denied" });
    expect(await nextOf(observed.stream)).toEqual([]);
    expect(observed.stream.ended()).toMatchObject({ text: "etcdserver: permission denied" });
    await subject.must("Auth.UserGrantRole", { user: "ann", role: "ann" }, root);
  });

  test("turning authentication on ends the watches of nobody", async () => {
    await subject.must("Auth.AuthDisable", {}, root);
    const { stream, send } = subject.open("Watch.Watch");
    send(create("secret"));
    expect(await nextOf(stream)).toMatchObject([{ created: true, canceled: false }]);
    await subject.must("Auth.AuthEnable", {});
    expect(await nextOf(stream)).toMatchObject([
      { canceled: true, cancelReason: "rpc error: code = InvalidArgument desc = etcdserver: user name is empty" },
    ]);
    stream.cancel();
  });

  test("nothing secret is in the log", () => {
    expect(subject.logText.length).toBeGreaterThan(100);
    for (const secret of [...Object.values(secrets), ...subject.tokens]) expect(subject.logText).not.toContain(secret);
  });
});
