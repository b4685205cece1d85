/** @module Clients in other languages see of Conclave what they see of Debian's etcd, word for word. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, prefix } from "@conclave/client";
import {
  createTestAuthority,
  etcdAbsence,
  freePorts,
  memberFlags,
  type ServerProcess,
  startCluster,
  startServerProcess,
} from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type ClientProgram,
  goAbsence,
  goProgram,
  pythonAbsence,
  pythonProgram,
  transcriptOf,
} from "../clients/programs.ts";

const buildMsMax = 300_000;
const binaries = { Conclave: join(import.meta.dirname, "..", "..", "bin", "conclave"), etcd: "etcd" };
type Kind = keyof typeof binaries;

/** A member with a port for whatever a test wants it to serve there. */
interface Subject extends AsyncDisposable {
  readonly port: string;
  readonly server: ServerProcess;
}

/** The files of a connection that is encrypted both ways. */
interface Encryption {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

async function startSubject(kind: Kind, encryption?: Encryption): Promise<Subject> {
  const dataDir = await mkdtemp(join(tmpdir(), "conclave-clients-"));
  const [port = 0, peerPort, healthPort] = await freePorts(3);
  const clientUrl = `${encryption === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  const url = `http://127.0.0.1:${healthPort}`;
  const placement = { name: "m1", dataDir, clientUrl, peerUrl: `http://127.0.0.1:${peerPort}` };
  const args = [...memberFlags(placement), `--listen-metrics-urls=${url}`, ...encryptionFlags(encryption)];
  const server = await startServerProcess({ name: kind, binary: binaries[kind], args, url });
  return {
    port: String(port),
    server,
    async [Symbol.asyncDispose]() {
      await server.kill();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function encryptionFlags(encryption: Encryption | undefined): readonly string[] {
  if (encryption === undefined) return [];
  const { ca, cert, key } = encryption;
  return [`--cert-file=${cert}`, `--key-file=${key}`, `--trusted-ca-file=${ca}`, "--client-cert-auth"];
}

/** What a program prints on a fresh Conclave, which is what it prints on a fresh etcd. */
async function expectSame(run: (subject: Subject) => Promise<string>, encryption?: Encryption): Promise<void> {
  const seen: Partial<Record<Kind, string>> = {};
  for (const kind of ["Conclave", "etcd"] as const) {
    await using subject = await startSubject(kind, encryption);
    seen[kind] = await run(subject);
  }
  expect(seen.Conclave).toContain("== ");
  expect(seen.Conclave).toBe(seen.etcd);
}

const noPeer = etcdAbsence();

describe("over TLS with a client certificate", () => {
  let directory: string;
  let encryption: Encryption;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "conclave-clients-tls-"));
    const authority = await createTestAuthority(directory);
    const { certFile: cert, keyFile: key } = await authority.issue("both");
    encryption = { ca: authority.certFile, cert, key };
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const noGo = noPeer ?? goAbsence();
  test.skipIf(noGo)(`etcd's Go client ${noGo ?? ""}`, { timeout: buildMsMax }, async () => {
    const program = await goProgram();
    const { ca, cert, key } = encryption;
    const files = ["-cacert", ca, "-cert", cert, "-key", key];
    await expectSame(
      ({ port }) => transcriptOf(program, ["-endpoints", `127.0.0.1:${port}`, ...files, "tls"]),
      encryption,
    );
  });

  const noPython = noPeer ?? pythonAbsence("etcd3") ?? pythonAbsence("etcd3gw");
  test.skipIf(noPython)(`the Python clients ${noPython ?? ""}`, async () => {
    const { ca, cert, key } = encryption;
    const files = [`--ca_cert=${ca}`, `--cert_cert=${cert}`, `--cert_key=${key}`];
    await expectSame(async ({ port }) => {
      const place = ["--host=127.0.0.1", `--port=${port}`, ...files];
      const json = await transcriptOf(pythonProgram("gateway_client.py"), [...place, "--protocol=https", "kv"]);
      await enableAuth(`https://127.0.0.1:${port}`, encryption);
      // It sends its password over TLS only.
      const asAda = [...place, "--user=ada", "--password=pass", "auth"];
      return json + (await transcriptOf(pythonProgram("grpc_client.py"), asAda));
    }, encryption);
  });
});

const noGoHere = noPeer ?? goAbsence();
describe.skipIf(noGoHere)(`etcd's Go client ${noGoHere ?? ""}`, () => {
  let program: ClientProgram;
  beforeAll(async () => {
    program = await goProgram();
  }, buildMsMax);

  test("reads, writes, leases, watches, locks, elects and logs in", async () => {
    const scenarios = ["kv", "lease", "watch", "concurrency", "auth"];
    await expectSame(({ port }) => transcriptOf(program, ["-endpoints", `127.0.0.1:${port}`, ...scenarios]));
  });

  test("loses no acknowledged write and no event when the leader is killed", async () => {
    await using cluster = await startCluster();
    const leader = await cluster.waitForLeader();
    const seen = await transcriptOf(program, ["-endpoints", cluster.endpoints.join(), "failover"], async () => {
      await leader.kill();
      const next = await cluster.waitForLeader({ not: leader });
      await leader.restart();
      await next.kill();
      await cluster.waitForLeader({ not: next });
    });
    expect(seen).toBe("== failover\nunder way\nseen in order: true\n");
  });
});

const noGrpcPython = noPeer ?? pythonAbsence("etcd3");
describe.skipIf(noGrpcPython)(`python3-etcd3 ${noGrpcPython ?? ""}`, () => {
  const program = pythonProgram("grpc_client.py");

  test("reads, writes, leases, watches and locks", async () => {
    const scenarios = ["kv", "lease", "watch", "lock"];
    await expectSame(({ port }) => transcriptOf(program, ["--host=127.0.0.1", `--port=${port}`, ...scenarios]));
  });
});

const noJsonPython = noPeer ?? pythonAbsence("etcd3gw");
describe.skipIf(noJsonPython)(`python3-etcd3gw ${noJsonPython ?? ""}`, () => {
  test("reads, writes, leases, watches and locks over JSON", async () => {
    const scenarios = ["kv", "lease", "watch", "lock", "members"];
    await expectSame(({ port }) =>
      transcriptOf(pythonProgram("gateway_client.py"), ["--host=127.0.0.1", `--port=${port}`, ...scenarios]),
    );
  });
});

/** Lets ada read and write what begins with `auth/`, and nobody else anything. */
async function enableAuth(endpoint: string, { ca, cert, key }: Encryption): Promise<void> {
  const tls = { ca: { path: ca }, cert: { path: cert }, key: { path: key } };
  await using client = createClient({ endpoints: [endpoint], tls });
  await client.auth.roleAdd("writer");
  await client.auth.roleGrantPermission("writer", { access: "readwrite", range: prefix("auth/") });
  await client.auth.userAdd("root", { password: "secret" });
  await client.auth.userAdd("ada", { password: "pass" });
  await client.auth.userGrantRole("root", "root");
  await client.auth.userGrantRole("ada", "writer");
  await client.auth.enable();
}
