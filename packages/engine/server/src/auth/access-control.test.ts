import { AuthError, type Caller } from "@conclave/auth";
import { virtualTime } from "@conclave/testkit";
import { beforeEach, describe, expect, test } from "vitest";
import { type AuthLab, authLab } from "../testing/auth-lab.ts";
import { AccessControl, type AccessMember } from "./access-control.ts";
import { JwtTokens } from "./jwt-tokens.ts";
import { SimpleTokens } from "./simple-tokens.ts";

type Call = Parameters<AccessControl["permit"]>[0];

const time = virtualTime();
let lab: AuthLab;
let tokens: SimpleTokens;
/** What happens once this member has caught up. */
let onCatchUp: () => void;
let catchUps: number;
let member: AccessMember;
beforeEach(() => {
  lab = authLab();
  tokens = new SimpleTokens({ clock: time });
  onCatchUp = () => undefined;
  catchUps = 0;
  member = {
    auth: lab.auth,
    lessor: lab.lessor,
    tokens,
    raftStatus: { applied: 100 } as AccessMember["raftStatus"],
    async linearizable() {
      catchUps += 1;
      onCatchUp();
    },
  };
});

function call(metadata: Readonly<Record<string, string>>, commonName?: string): Call {
  const certificate = commonName === undefined ? undefined : { commonName };
  return { metadata: new Map(Object.entries(metadata)), peer: { address: "10.0.0.1:1", certificate } } as never;
}

const checkUser = (caller: Caller) => lab.auth.checkUser(caller);
const invalid = expect.objectContaining({ code: "InvalidAuthToken" });

describe("who calls", () => {
  test("by a simple token, under either name, sent once or twice", async () => {
    tokens.assign("abc.7", "ann");
    const access = new AccessControl({ member });
    for (const metadata of [{ token: "abc.7" }, { authorization: "abc.7" }, { token: "abc.7, abc.7" }])
      expect(await access.identify(call(metadata))).toEqual(lab.caller("ann"));
  });

  test.each(["", "abc", "abc.", ".7", "abc.7.7", "a1c.7", "Bearer abc.7", `abc.${"7".repeat(16)}`, "abc.-7"])(
    "not by %j, and nobody is asked about it",
    async (token) => {
      await expect(async () => new AccessControl({ member }).identify(call({ token }))).rejects.toThrow(invalid);
      expect(catchUps).toBe(0);
    },
  );

  test("by a token of an entry that this member has not applied yet, once it has", async () => {
    onCatchUp = () => tokens.assign("late.101", "ann");
    expect(await new AccessControl({ member }).identify(call({ token: "late.101" }))).toEqual(lab.caller("ann"));
    await expect(async () => new AccessControl({ member }).identify(call({ token: "none.102" }))).rejects.toThrow(
      invalid,
    );
  });

  test("by the name in a certificate, if that is wanted and no token is sent, never over a gateway", async () => {
    tokens.assign("abc.7", "ann");
    const access = new AccessControl({ member, certificatesNameUsers: true });
    expect(await access.identify(call({}, "bob"))).toEqual(lab.caller("bob"));
    expect(await access.identify(call({ token: "abc.7" }, "bob"))).toEqual(lab.caller("ann"));
    expect(await access.identify(call({ "grpcgateway-accept": "x" }, "bob"))).toEqual(lab.caller(""));
    expect(await access.identify(call({}))).toEqual(lab.caller(""));
    expect(await new AccessControl({ member }).identify(call({}, "bob"))).toEqual(lab.caller(""));
  });

  test("not by a certificate without a name: that is one of no known user", async () => {
    const access = new AccessControl({ member, certificatesNameUsers: true });
    await expect(access.permit(call({}, ""), checkUser)).rejects.toThrow(
      expect.objectContaining({ code: "UserEmpty" }),
    );
  });
});

describe("a JSON web token", () => {
  const secret = new Uint8Array(64).fill(7);
  const jwt = new JwtTokens({ algorithm: "HS256", verifyKey: secret, signKey: secret, ttlSec: 60 }, time);
  const tokenAt = async (authRevision: number) => (await jwt.issue({ username: "ann", authRevision })) ?? "";

  test("is good at the revision at which it was given out", async () => {
    const access = new AccessControl({ member, jwt });
    const token = await tokenAt(lab.auth.revision);
    expect(await access.permit(call({ token }), checkUser)).toEqual(lab.caller("ann"));
  });

  test("ends when users change", async () => {
    const access = new AccessControl({ member, jwt });
    const token = await tokenAt(lab.auth.revision);
    lab.addUser("new");
    const outdated = expect.objectContaining({ code: "AuthOldRevision" });
    await expect(access.permit(call({ token }), checkUser)).rejects.toThrow(outdated);
    expect(catchUps, "to catch up cannot make it newer").toBe(0);
  });

  test("of a revision to come is good once this member has heard of it, and of another cluster never", async () => {
    const access = new AccessControl({ member, jwt });
    const token = await tokenAt(lab.auth.revision + 1);
    await expect(access.permit(call({ token }), checkUser)).rejects.toThrow(invalid);
    onCatchUp = () => lab.addUser(`new-${catchUps}`);
    expect(await access.permit(call({ token }), checkUser)).toMatchObject({ username: "ann" });
  });

  test("is none where tokens are simple, and a simple one none here", async () => {
    const token = await tokenAt(lab.auth.revision);
    await expect(async () => new AccessControl({ member }).identify(call({ token }))).rejects.toThrow(invalid);
    tokens.assign("abc.7", "ann");
    await expect(new AccessControl({ member, jwt }).identify(call({ token: "abc.7" }))).rejects.toThrow(invalid);
  });
});

describe("a refusal", () => {
  const grant = () =>
    lab.auth.apply({ kind: "authUserGrantRole", request: { user: "bob", role: "root" } }) as unknown as undefined;
  const checkAdmin = (caller: Caller) => lab.auth.checkAdmin(caller);

  test("is taken back if this member was late to hear of the change that allows it", async () => {
    tokens.assign("abc.7", "bob");
    onCatchUp = grant;
    expect(await new AccessControl({ member }).permit(call({ token: "abc.7" }), checkAdmin)).toEqual(lab.caller("bob"));
    expect(catchUps).toBe(1);
  });

  test("stands after one look, and without one where that is not asked for", async () => {
    tokens.assign("abc.7", "bob");
    const access = new AccessControl({ member });
    const denied = expect.objectContaining({ code: "PermissionDenied" });
    await expect(access.permit(call({ token: "abc.7" }), checkAdmin)).rejects.toThrow(denied);
    expect(catchUps).toBe(1);
    await expect(access.permitHere(call({ token: "abc.7" }), checkAdmin)).rejects.toThrow(denied);
    expect(catchUps).toBe(1);
  });

  test("of anything else is passed on as it is", async () => {
    const access = new AccessControl({ member });
    const broken = () => {
      throw new AuthError("CORRUPT");
    };
    await expect(access.permit(call({}), broken)).rejects.toThrow();
    expect(catchUps).toBe(0);
  });
});
