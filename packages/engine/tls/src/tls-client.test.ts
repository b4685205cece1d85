import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTestAuthority, type IssueOptions, type TestAuthority } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestServer, temporaryDirectory, type Visit, visit } from "./testing/tls-pair.ts";
import { createTlsClient, type TlsClientOptions } from "./tls-client.ts";
import type { TlsSettings } from "./tls-settings.ts";

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let authority: TestAuthority;
let stranger: TestAuthority;

beforeAll(async () => {
  directory = await temporaryDirectory();
  authority = await createTestAuthority(directory.path);
  stranger = await createTestAuthority(directory.path, "stranger");
});
afterAll(() => directory[Symbol.asyncDispose]());

const log = { warn: () => undefined };

interface Dial extends Omit<TlsClientOptions, "settings" | "log"> {
  readonly settings?: Partial<TlsSettings>;
  readonly issuer?: TestAuthority;
}

/** What comes of connecting to a server with such a certificate. */
async function dial(
  certificate: IssueOptions,
  { issuer = authority, settings = {}, ...options }: Dial = {},
): Promise<Visit> {
  await using running = await startTestServer({ settings: await issuer.issue("server", certificate) });
  const own = { certFile: "", keyFile: "", trustedCaFile: authority.certFile, ...settings };
  return await visit(running.port, createTlsClient({ settings: own, log, ...options }).connectionOptions());
}

const refused = (reason: RegExp) => ({ refused: expect.stringMatching(reason) });

describe("a server is talked to", () => {
  test("that shows a certificate of the authority for its host", async () => {
    expect(await dial({})).toHaveProperty("said", "hello");
  });

  test.each<[string, IssueOptions, RegExp]>([
    ["of another host", { hosts: ["192.0.2.1"] }, /valid for IP Address:192\.0\.2\.1, not 127\.0\.0\.1/],
    ["of no host but in its subject", { hosts: [], commonName: "127.0.0.1" }, /valid for no host/],
    ["that has expired", { fromDays: -3, untilDays: -1 }, /certificate has expired/],
    ["that is not valid yet", { fromDays: 1 }, /certificate is not yet valid/],
    ["for clients only", { usage: "client" }, /unsuitable certificate purpose/],
  ])("but not with one %s", async (_what, certificate, reason) => {
    expect(await dial(certificate)).toEqual(refused(reason));
  });

  test("but not with one of another authority, unless anything is taken", async () => {
    expect(await dial({}, { issuer: stranger })).toEqual(refused(/unable to/));
    expect(await dial({ hosts: [] }, { issuer: stranger, insecureSkipVerify: true })).toHaveProperty("said");
  });

  test("under the name of a domain whose records led there", async () => {
    const records = { serverName: "example.com" };
    expect(await dial({ hosts: ["example.com"] }, records)).toHaveProperty("said");
    expect(await dial({ hosts: ["127.0.0.1"] }, records)).toEqual(refused(/not example\.com/));
  });

  test("only under an allowed name, if names are", async () => {
    const byName = { settings: { allowedCommonNames: ["m1"] } };
    expect(await dial({ commonName: "m1" }, byName)).toHaveProperty("said");
    expect(await dial({ commonName: "m2" }, byName)).toEqual(refused(/authentication failed/));
    const byHost = { settings: { allowedHostnames: ["m1.example.com"] } };
    expect(await dial({ hosts: ["127.0.0.1", "m1.example.com"] }, byHost)).toHaveProperty("said");
    expect(await dial({}, byHost)).toEqual(refused(/authentication failed/));
  });
});

test("its own certificate is the one for clients, if there is one, as the files are now", async () => {
  const server = await authority.issue("asking");
  const [first, second] = [await authority.issue("first"), await authority.issue("second")];
  const [clientCertFile, clientKeyFile] = [join(directory.path, "own.pem"), join(directory.path, "own-key.pem")];
  const show = async ({ cert, key }: typeof first) => {
    await writeFile(clientCertFile, cert);
    await writeFile(clientKeyFile, key);
  };
  await show(first);
  const settings = { ...server, trustedCaFile: authority.certFile, clientCertAuth: true };
  await using running = await startTestServer({ settings });
  const client = createTlsClient({ settings: { ...settings, clientCertFile, clientKeyFile }, log });
  expect(await visit(running.port, client.connectionOptions())).toHaveProperty("said");
  await show(second);
  expect(await visit(running.port, client.connectionOptions())).toHaveProperty("said");
  const shown = running.secured.map(({ certificate }) => certificate?.serialNumber);
  expect(shown).toEqual([first.serialNumber, second.serialNumber]);
});

test("half a pair for clients is refused", () => {
  const settings = { certFile: "", keyFile: "", clientCertFile: "a.pem" };
  expect(() => createTlsClient({ settings, log })).toThrow(/must both be present or both absent/);
});
