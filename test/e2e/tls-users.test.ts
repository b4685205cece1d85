/**
 * @module Whom a client certificate makes of a caller once users are turned on. The same questions are put to etcd, where
 * it is there.
 */
import { request } from "node:https";
import { type Client, createClient, isConclaveError } from "@conclave/client";
import { Permission_Type as PermissionType } from "@conclave/protocol/authpb";
import { etcdAbsence, type IssuedCertificate, type MemberKind } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTlsCluster, type TlsCluster } from "./tls-cluster.ts";

const password = "not to be seen";
const users = ["root", "alice", "mallory"] as const;
type Shown = (typeof users)[number] | "nobody";

describe.each<MemberKind>(["conclave", "etcd"])("users by certificate, with %s", (kind) => {
  const absent = kind === "etcd" ? etcdAbsence("3.5") : undefined;
  let cluster: TlsCluster;
  let certificates: Readonly<Record<Shown, IssuedCertificate>>;
  let rootToken: string;

  beforeAll(async () => {
    if (absent !== undefined) return;
    cluster = await startTlsCluster({ kinds: [kind] });
    const issue = (name: Shown) =>
      cluster.authority.issue(name, { usage: "client", ...(name !== "nobody" && { commonName: name }) });
    certificates = {
      root: await issue("root"),
      alice: await issue("alice"),
      mallory: await issue("mallory"),
      nobody: await issue("nobody"),
    };
    await using root = clientOf("root");
    rootToken = await prepare(root);
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  const clientOf = (name: Shown, credentials?: { username: string; password: string }): Client => {
    const { cert, key } = certificates[name];
    return createClient({ endpoints: cluster.endpoints, credentials, tls: { ca: cluster.authority.cert, cert, key } });
  };

  /** Alice may read what is hers; mallory has a certificate, and is no user. @returns a token of root */
  async function prepare(root: Client): Promise<string> {
    const { auth } = root.raw;
    await auth.userAdd({ name: "root", password });
    await auth.roleAdd({ name: "root" });
    await auth.userGrantRole({ user: "root", role: "root" });
    await auth.userAdd({ name: "alice", options: { noPassword: true } });
    await auth.roleAdd({ name: "reader" });
    const own = { permType: PermissionType.READ, key: Buffer.from("alice/"), rangeEnd: Buffer.from("alice0") };
    await auth.roleGrantPermission({ name: "reader", perm: own });
    await auth.userGrantRole({ user: "alice", role: "reader" });
    for (const key of ["alice/1", "bob/1"]) await root.put(key, `of ${key}`);
    await auth.authEnable({});
    return (await auth.authenticate({ name: "root", password })).token;
  }

  const asked = async (client: Client, key: string): Promise<string> => {
    try {
      return (await client.get(key)) === undefined ? "nothing" : "answered";
    } catch (error) {
      return isConclaveError(error) ? error.code : String(error);
    }
  };

  test.skipIf(absent).each<[Shown, string, string]>([
    ["root", "bob/1", "answered"],
    ["alice", "alice/1", "answered"],
    ["alice", "bob/1", "PERMISSION_DENIED"],
    ["mallory", "alice/1", "PERMISSION_DENIED"],
    ["nobody", "alice/1", "PERMISSION_DENIED"],
  ])("over gRPC, %s asking for %s: %s", async (name, key, outcome) => {
    await using client = clientOf(name);
    expect(await asked(client, key)).toBe(outcome);
  });

  test.skipIf(absent)("a token counts more than a certificate", async () => {
    await using client = clientOf("alice", { username: "root", password });
    expect(await asked(client, "bob/1")).toBe("answered");
  });

  const named = "CommonName of client sending a request against gateway will be ignored and not used as expected";
  const value = Buffer.from("of alice/1").toString("base64");
  test.skipIf(absent).each<[Shown, "with" | "without", number, string]>([
    ["root", "without", 400, named],
    ["alice", "without", 400, named],
    ["alice", "with", 400, named],
    ["nobody", "without", 400, "user name is empty"],
    ["nobody", "with", 200, value],
  ])("over the gateway with the certificate of %s, %s a token: %i, %s", async (name, token, status, text) => {
    const { cert, key } = certificates[name];
    const headers = { accept: "*/*", ...(token === "with" && { authorization: rootToken }) };
    const options = { method: "POST", agent: false, ca: cluster.authority.cert, cert, key, headers } as const;
    const [body, answer] = await new Promise<[string, number | undefined]>((resolve, reject) => {
      const call = request(`${cluster.endpoints[0]}/v3/kv/range`, options, (response) => {
        response.setEncoding("utf8").once("data", (chunk: string) => resolve([chunk, response.statusCode]));
      });
      call.on("error", reject).end(JSON.stringify({ key: Buffer.from("alice/1").toString("base64") }));
    });
    expect(answer).toBe(status);
    expect(body).toContain(text);
  });

  test.skipIf(absent)("the log knows no password and no token", () => {
    for (const { log } of cluster.members) {
      expect(log).not.toContain(password);
      expect(log).not.toContain(rootToken);
    }
  });
});
