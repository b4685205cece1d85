/** @module Tokens that are expired, forged, replayed or another cluster's, simple ones and JSON web tokens. */
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytes, GuardedMember, secrets } from "./guarded-member.ts";

const read = { key: bytes("b") };
const invalid = { kind: "failure", status: 16, text: "etcdserver: invalid auth token" };
const outdated = { kind: "failure", status: 3, text: "etcdserver: revision of auth store is old" };
const good = { kind: "reply" };

describe("simple tokens", () => {
  let subject: GuardedMember;
  let root = "";
  beforeAll(async () => {
    subject = await GuardedMember.start({ authTokenTtl: 1 });
    root = await subject.login("root", secrets.root);
  });
  afterAll(() => subject[Symbol.asyncDispose]());
  const asRoot = async (method: string, request: object): Promise<void> => {
    const answer = await subject.ask(method, request, root);
    if (answer.kind === "failure") root = await subject.login("root", secrets.root);
    if (answer.kind === "failure") await subject.must(method, request, root);
  };

  test("end when nobody has shown them for their time to live", async () => {
    const token = await subject.login("ann", secrets.ann);
    expect(await subject.ask("KV.Range", read, token)).toMatchObject(good);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(await subject.ask("KV.Range", read, token)).toEqual(invalid);
  });

  test.each([
    ["the index of another entry", (token: string) => token.replace(/\d+$/, (index) => `${Number(index) - 1}`)],
    ["an index that has yet to come", (token: string) => token.replace(/\d+$/, "999999")],
    ["other letters", (token: string) => token.replace(/^./, (letter) => (letter === "a" ? "b" : "a"))],
    ["the other case", (token: string) => token.toUpperCase()],
    ["nothing before the index", (token: string) => token.replace(/^\w+/, "")],
    ["a scheme before it", (token: string) => `Bearer ${token}`],
    ["no index", (token: string) => token.replace(/\.\d+$/, "")],
    ["nothing", () => ""],
    ["a name of a member of every object", () => "__proto__"],
  ])("with %s are none", async (_title, forge) => {
    const token = await subject.login("ann", secrets.ann);
    expect(await subject.ask("KV.Range", read, forge(token))).toEqual(invalid);
  });

  test("end with the password, and with the user; a user of the same name is another", async () => {
    const first = await subject.login("ann", secrets.ann);
    await asRoot("Auth.UserChangePassword", { name: "ann", password: secrets.value });
    expect(await subject.ask("KV.Range", read, first)).toEqual(invalid);
    const second = await subject.login("ann", secrets.value);
    await asRoot("Auth.UserDelete", { name: "ann" });
    expect(await subject.ask("KV.Range", read, second)).toEqual(invalid);
    await asRoot("Auth.UserAdd", { name: "ann", password: secrets.ann });
    await asRoot("Auth.UserGrantRole", { user: "ann", role: "ann" });
    expect(await subject.ask("KV.Range", read, second)).toEqual(invalid);
  });

  test("end when authentication is turned off, and stay so when it is turned on again", async () => {
    const token = await subject.login("ann", secrets.ann);
    await asRoot("Auth.AuthDisable", {});
    expect(await subject.ask("KV.Range", read, token)).toMatchObject(good);
    await subject.must("Auth.AuthEnable", {});
    expect(await subject.ask("KV.Range", read, token)).toEqual(invalid);
  });

  test("of another cluster are none", async () => {
    await using other = await GuardedMember.start();
    expect(await subject.ask("KV.Range", read, await other.login("root", secrets.root))).toEqual(invalid);
  });

  test("are in no log", () => {
    for (const secret of [...Object.values(secrets), ...subject.tokens]) expect(subject.logText).not.toContain(secret);
  });
});

describe("JSON web tokens", () => {
  const ours = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const theirs = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const publicPem = ours.publicKey.export({ type: "spki", format: "pem" });
  let subject: GuardedMember;
  let directory: string;
  let revision = 0;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "conclave-jwt-"));
    const [pub, priv] = [join(directory, "public.pem"), join(directory, "private.pem")];
    await writeFile(pub, publicPem);
    await writeFile(priv, ours.privateKey.export({ type: "pkcs8", format: "pem" }));
    subject = await GuardedMember.start({
      authToken: `jwt,pub-key=${pub},priv-key=${priv},sign-method=RS256,ttl=10m`,
    });
    const root = await subject.login("root", secrets.root);
    revision = Number((await subject.must<{ authRevision: bigint }>("Auth.AuthStatus", {}, root)).authRevision);
  });
  afterAll(async () => {
    await subject[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  interface Forgery {
    readonly claims?: Readonly<Record<string, unknown>>;
    readonly algorithm?: string;
    readonly key?: Parameters<SignJWT["sign"]>[0];
    readonly expiry?: string | undefined;
  }
  const sign = ({ claims = {}, algorithm = "RS256", key = ours.privateKey, expiry = "5m" }: Forgery = {}) => {
    const token = new SignJWT({ username: "root", revision, ...claims }).setProtectedHeader({ alg: algorithm });
    return (expiry === "" ? token : token.setExpirationTime(expiry)).sign(key);
  };
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = () => ({ username: "root", revision, exp: Math.floor(Date.now() / 1000) + 300 });

  test("from a login, and from whoever holds the private key, are good", async () => {
    expect(await subject.ask("KV.Range", read, await subject.login("ann", secrets.ann))).toMatchObject(good);
    expect(await subject.ask("KV.Range", read, await sign())).toMatchObject(good);
  });

  const forged: readonly (readonly [title: string, forge: () => string | Promise<string>])[] = [
    ["signed with another key", () => sign({ key: theirs.privateKey })],
    ["signed with the public key as a shared secret", () => sign({ algorithm: "HS256", key: Buffer.from(publicPem) })],
    ["signed with another algorithm of the same key", () => sign({ algorithm: "PS256" })],
    ["signed with another hash", () => sign({ algorithm: "RS512" })],
    ["not signed, alg none", () => `${part({ alg: "none" })}.${part(claims())}.`],
    ["not signed, alg None", () => `${part({ alg: "None", typ: "JWT" })}.${part(claims())}.`],
    ["without an algorithm", () => `${part({ typ: "JWT" })}.${part(claims())}.`],
    ["expired", () => sign({ expiry: "-1s" })],
    ["without an end", () => sign({ expiry: "" })],
    ["not valid yet", () => sign({ claims: { nbf: Math.floor(Date.now() / 1000) + 300 } })],
    ["without a user", () => sign({ claims: { username: undefined } })],
    ["with a user that is no text", () => sign({ claims: { username: ["root"] } })],
    ["without a revision", () => sign({ claims: { revision: undefined } })],
    ["of revision 0", () => sign({ claims: { revision: 0 } })],
    ["of a revision that has yet to come", () => sign({ claims: { revision: revision + 1_000 } })],
    ["of a revision that is no number", () => sign({ claims: { revision: `${revision}` } })],
    ["in two parts", async () => (await sign()).split(".").slice(0, 2).join(".")],
    ["simple", () => "abcdefghijklmnop.5"],
  ];
  test.each(forged)("%s are none", async (_title, forge) => {
    expect(await subject.ask("KV.Range", read, await forge())).toEqual(invalid);
  });

  test("with a changed payload are none", async () => {
    const [head, , signature] = (await subject.login("ann", secrets.ann)).split(".");
    expect(await subject.ask("KV.Range", read, `${head}.${part(claims())}.${signature}`)).toEqual(invalid);
  });

  test("of a user that there is not may nothing", async () => {
    const token = await sign({ claims: { username: "absent" } });
    expect(await subject.ask("KV.Range", read, token)).toMatchObject({ text: "etcdserver: permission denied" });
  });

  test("end with every change of users and roles", async () => {
    const [ann, root] = [await subject.login("ann", secrets.ann), await subject.login("root", secrets.root)];
    await subject.must("Auth.UserDelete", { name: "ann" }, root);
    expect(await subject.ask("KV.Range", read, ann)).toEqual(outdated);
    expect(await subject.ask("Auth.UserList", {}, root)).toEqual(outdated);
    const anew = await subject.login("root", secrets.root);
    await subject.must("Auth.AuthDisable", {}, anew);
    await subject.must("Auth.AuthEnable", {});
    expect(await subject.ask("KV.Range", read, anew)).toEqual(outdated);
  });

  test("are in no log", () => {
    for (const secret of [...Object.values(secrets), ...subject.tokens]) expect(subject.logText).not.toContain(secret);
  });
});
