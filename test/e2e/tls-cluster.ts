/** @module Clusters of real processes that speak nothing but TLS, and the files that they live on. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createTestAuthority,
  etcdBinaryOrThrow,
  freePorts,
  type IssuedCertificate,
  launchServerProcess,
  type MemberKind,
  memberFlags,
  type ServerProcess,
  type TestAuthority,
} from "@conclave/testkit";

const conclaveBinary = join(import.meta.dirname, "..", "..", "bin", "conclave");

/** The files of everybody who takes part, which may be replaced while they run. */
export interface TlsFiles {
  /** Whom members and clients trust. */
  readonly ca: string;
  /** What the members show, to clients and to each other. */
  readonly memberCert: string;
  readonly memberKey: string;
  /** What the client shows. */
  readonly clientCert: string;
  readonly clientKey: string;
  /** What is revoked. */
  readonly crl: string;
}

/** A member that speaks TLS only, but for its metrics. */
export interface TlsMember extends ServerProcess {
  readonly name: string;
  /** As `127.0.0.1:port`. */
  readonly endpoint: string;
  readonly dataDir: string;
}

/** A cluster. Disposing of it kills its members and removes everything. */
export interface TlsCluster extends AsyncDisposable {
  readonly directory: string;
  readonly authority: TestAuthority;
  readonly files: TlsFiles;
  readonly members: readonly TlsMember[];
  readonly endpoints: readonly string[];
  /** Replaces the certificates and keys of members and client with new ones. */
  renew(authority: TestAuthority): Promise<{ readonly member: IssuedCertificate; readonly client: IssuedCertificate }>;
}

/** How to start a cluster. */
export interface TlsClusterOptions {
  /** What its members run. */
  readonly kinds: readonly MemberKind[];
  /** More flags of each member; default: certificates from the files, demanded of everybody. */
  readonly flags?: readonly string[];
}

/** Starts a cluster; resolves once every member serves. */
export async function startTlsCluster({ kinds, flags }: TlsClusterOptions): Promise<TlsCluster> {
  const directory = await mkdtemp(join(tmpdir(), "conclave-tls-"));
  const authority = await createTestAuthority(directory);
  const files = filesIn(directory);
  const renew = (issuer: TestAuthority) => renewFiles(files, issuer);
  await writeFile(files.ca, authority.cert);
  await writeFile(files.crl, (await authority.revoke()).pem);
  await renew(authority);
  const members = await launchMembers(directory, { kinds, flags: flags ?? certificateFlags(files) });
  const dispose = async () => {
    await Promise.all(members.map((member) => member.kill()));
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await Promise.all(members.map((member) => member.ready()));
  } catch (error) {
    await dispose();
    throw error;
  }
  const endpoints = members.map(({ endpoint }) => `https://${endpoint}`);
  return { directory, authority, files, members, endpoints, renew, [Symbol.asyncDispose]: dispose };
}

function filesIn(directory: string): TlsFiles {
  const at = (name: string) => join(directory, name);
  return {
    ca: at("trusted.pem"),
    memberCert: at("member-current.pem"),
    memberKey: at("member-current-key.pem"),
    clientCert: at("client-current.pem"),
    clientKey: at("client-current-key.pem"),
    crl: at("revoked.pem"),
  };
}

async function renewFiles(files: TlsFiles, issuer: TestAuthority) {
  const member = await issuer.issue("member", { commonName: "member" });
  const client = await issuer.issue("client", { commonName: "alice", usage: "client" });
  await writeFile(files.memberKey, member.key);
  await writeFile(files.memberCert, member.cert);
  await writeFile(files.clientKey, client.key);
  await writeFile(files.clientCert, client.cert);
  return { member, client };
}

function certificateFlags({ ca, memberCert, memberKey, crl }: TlsFiles): readonly string[] {
  const common = (prefix: string) => [
    `--${prefix}cert-file=${memberCert}`,
    `--${prefix}key-file=${memberKey}`,
    `--${prefix}trusted-ca-file=${ca}`,
    `--${prefix}client-cert-auth`,
  ];
  const more = [`--client-crl-file=${crl}`, `--peer-crl-file=${crl}`, "--peer-cert-allowed-cn=member"];
  return [...common(""), ...common("peer-"), ...more];
}

interface Launch {
  readonly kinds: readonly MemberKind[];
  readonly flags: readonly string[];
}

async function launchMembers(directory: string, { kinds, flags }: Launch): Promise<readonly TlsMember[]> {
  const ports = await freePorts(3 * kinds.length);
  const places = kinds.map((kind, at) => {
    const [client = 0, peer = 0, metrics = 0] = ports.slice(3 * at);
    const name = `m${at + 1}`;
    return { kind, name, client, peerUrl: `https://127.0.0.1:${peer}`, metricsUrl: `http://127.0.0.1:${metrics}` };
  });
  const initialCluster = places.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");
  return places.map(({ kind, name, client, peerUrl, metricsUrl }) => {
    const endpoint = `127.0.0.1:${client}`;
    const dataDir = join(directory, name);
    const args = [
      ...memberFlags({ name, dataDir, clientUrl: `https://${endpoint}`, peerUrl, initialCluster }),
      `--listen-metrics-urls=${metricsUrl}`,
      ...flags,
    ];
    const binary = kind === "etcd" ? etcdBinaryOrThrow("3.5") : conclaveBinary;
    return Object.assign(launchServerProcess({ name, binary, args, url: metricsUrl }), { name, endpoint, dataDir });
  });
}
