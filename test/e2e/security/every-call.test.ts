/** @module Every method of every service, over gRPC and over the gateway, as everybody there is. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, bytes, GuardedMember, methods, secrets } from "./guarded-member.ts";

const key = bytes("secret");
const leader = { name: key, key: bytes("secret/5"), rev: 1n, lease: 5n };

/** Requests that need to be filled in to be worth refusing; the others are empty. */
const requests: Readonly<Record<string, object>> = {
  "KV.Range": { key },
  "KV.RangeStream": { key },
  "KV.Put": { key, value: bytes(secrets.value) },
  "KV.DeleteRange": { key },
  "KV.Txn": { success: [{ request: { $case: "requestRange", value: { key } } }] },
  "KV.Compact": { revision: 1n },
  "Watch.Watch": { requestUnion: { $case: "createRequest", value: { key } } },
  "Lease.LeaseGrant": { TTL: 60n },
  "Lease.LeaseRevoke": { ID: 5n },
  "Lease.LeaseKeepAlive": { ID: 5n },
  "Lease.LeaseTimeToLive": { ID: 5n },
  "Lock.Lock": { name: key },
  "Lock.Unlock": { key },
  "Election.Campaign": { name: bytes("secret-campaign") },
  "Election.Proclaim": { leader },
  "Election.Resign": { leader },
  "Election.Leader": { name: key },
  "Election.Observe": { name: key },
  "Cluster.MemberAdd": { peerURLs: ["no url"] },
  "Cluster.MemberRemove": { ID: 1n },
  "Cluster.MemberUpdate": { ID: 1n, peerURLs: ["http://127.0.0.1:1"] },
  "Cluster.MemberPromote": { ID: 1n },
  "Maintenance.MoveLeader": { targetID: 1n },
  "Auth.UserAdd": { name: "new", password: secrets.ann },
  "Auth.UserGet": { name: "root" },
  "Auth.UserDelete": { name: "none" },
  "Auth.UserChangePassword": { name: "none", password: secrets.ann },
  "Auth.RoleAdd": { name: "ann" },
  "Auth.RoleGet": { role: "root" },
  "Auth.RoleDelete": { role: "none" },
  "Auth.RoleGrantPermission": { name: "none", perm: { key, rangeEnd: bytes("") } },
  "Auth.RoleRevokePermission": { role: "none", key },
  "Auth.UserGrantRole": { user: "none", role: "none" },
  "Auth.UserRevokeRole": { name: "none", role: "none" },
};

/** What any user may do, as no key is touched by it. */
const forUsers: ReadonlySet<string> = new Set([
  "Lease.LeaseGrant",
  "Lease.LeaseRevoke",
  "Lease.LeaseKeepAlive",
  "Lease.LeaseTimeToLive",
  "Lease.LeaseLeases",
  "Cluster.MemberList",
  "Maintenance.Alarm",
]);
const open: ReadonlySet<string> = new Set(["Auth.Authenticate"]);
/** What root does not do here, as there would be no member or no authentication left for the rest. */
const notByRoot: ReadonlySet<string> = new Set(["Auth.AuthDisable", "Maintenance.Downgrade"]);

const nobody = /user name is empty$/;
const badToken = /invalid auth token$/;
const denied = /permission denied$/;
const refusals = /user name is empty$|invalid auth token$|permission denied$|auth store is old$/;

const textOf = (answer: Answer | undefined): string =>
  answer?.kind === "failure" ? answer.text : `an answer: ${Object.keys(answer?.message ?? {}).join()}`;

describe("every method", () => {
  let subject: GuardedMember;
  let [root, ann]: readonly [string, string] = ["", ""];
  beforeAll(async () => {
    subject = await GuardedMember.start();
    [root, ann] = [await subject.login("root", secrets.root), await subject.login("ann", secrets.ann)];
  });
  afterAll(() => subject[Symbol.asyncDispose]());

  const guarded = [...methods.keys()].filter((name) => !open.has(name));

  test("there are as many as the API has", () => {
    expect(methods.size).toBeGreaterThanOrEqual(49);
    for (const name of [...Object.keys(requests), ...forUsers, ...notByRoot])
      expect([...methods.keys()]).toContain(name);
  });

  test.each(guarded)("%s", async (name) => {
    const request = requests[name] ?? {};
    const ask = async (token?: string): Promise<string> => textOf(await subject.ask(name, request, token));
    expect(await ask(), "as nobody").toMatch(nobody);
    expect(await ask("none.1"), "with a token that was never given out").toMatch(badToken);
    expect(await ask(`${root}0`), "with a changed token").toMatch(badToken);
    if (forUsers.has(name)) expect(await ask(ann), "as any user").not.toMatch(refusals);
    else expect(await ask(ann), "as a user without the permission").toMatch(denied);
    if (!notByRoot.has(name)) expect(await ask(root), "as root").not.toMatch(refusals);
  });

  test.each(guarded)("%s over the gateway", async (name) => {
    // The union of a watch request has no form that suits both.
    const request = name === "Watch.Watch" ? { create_request: { key } } : (requests[name] ?? {});
    const ask = (token?: string) => subject.askGateway(name, name === "KV.Txn" ? txnInJson : request, token);
    const answer = await ask();
    if (answer === undefined) return;
    expect(textOf(answer), "as nobody").toMatch(nobody);
    expect(textOf(await ask("none.1")), "with a token that was never given out").toMatch(badToken);
    if (!forUsers.has(name)) expect(textOf(await ask(ann)), "as a user without the permission").toMatch(denied);
  });

  test("what was forbidden has left no trace, and what is secret is in no log", async () => {
    const { kvs } = await subject.must<{ kvs: { key: Uint8Array; value: Uint8Array }[] }>(
      "KV.Range",
      { key: bytes("\0"), rangeEnd: bytes("\0") },
      root,
    );
    // Only root's own calls have changed anything: his put, his deletions, and the queues that he joined.
    for (const { key: found } of kvs) expect(Buffer.from(found).toString()).toMatch(/^secret/);
    expect(await subject.ask("Auth.Authenticate", { name: "ann", password: "wrong-password-3c" })).toMatchObject({
      text: "etcdserver: authentication failed, invalid user ID or password",
    });
    expect(subject.logText).toContain("a login failed");
    for (const secret of [...Object.values(secrets), ...subject.tokens, "wrong-password-3c"])
      expect(subject.logText).not.toContain(secret);
  });
});

const txnInJson = { success: [{ request_range: { key } }] };
