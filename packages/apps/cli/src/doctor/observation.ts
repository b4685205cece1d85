/** @module What the doctor looks at: what each server says of itself, and of the others. */

import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import type { MemberStatus } from "@conclave/client";
import type { Member } from "@conclave/protocol/etcdserverpb";
import type { CommandContext } from "../command.ts";
import { messageOf } from "../commands/explain.ts";

/** What is seen of one server. */
export interface ServerObservation {
  /** Where it was asked. */
  readonly endpoint: string;
  /** What it says of itself; undefined if it gave no answer. */
  readonly status?: MemberStatus;
  /** Why it gave none. */
  readonly error?: string;
  /** Whether it answers a read that needs a leader. */
  readonly serves: boolean;
  /** The hash of its history at the revision that all were asked for; undefined if it could not tell. */
  readonly hash?: { readonly hash: number; readonly compactRevision: number };
  /** When its certificate ends, in ms since 1970; undefined without TLS. */
  readonly certificateEndsMs?: number;
}

/** What is seen of a cluster. */
export interface Observation {
  /** Each server that was asked. */
  readonly servers: readonly ServerObservation[];
  /** The members, as one of them tells; undefined if none does. */
  readonly members: readonly Member[] | undefined;
  /** The alarms that are on. */
  readonly alarms: readonly { readonly memberId: bigint; readonly type: string }[];
  /** The time of this machine, which only certificates are held against. */
  readonly nowMs: number;
}

/** Looks at the servers that the user named and at all members that these tell of. Never rejects. */
export async function observe(context: CommandContext): Promise<Observation> {
  const { client, flags } = context;
  const timeoutMs = flags.commandTimeout;
  const list = client.raw.cluster.memberList({ linearizable: false }, { timeoutMs });
  const members = await list.then(
    ({ members: all }) => all,
    () => undefined,
  );
  const told = (members ?? []).flatMap(({ clientURLs }) => clientURLs.slice(0, 1));
  const endpoints = distinct([...flags.endpoints, ...told]);
  const servers = await Promise.all(endpoints.map((endpoint) => observeServer(context, endpoint)));
  const alarms = await client.maintenance.alarms({ timeoutMs }).catch(() => []);
  return { servers: await withHashes(context, onePerMember(servers)), members, alarms, nowMs: Date.now() };
}

/** Endpoints without their schemes: those that differ in nothing else are one. */
function distinct(endpoints: readonly string[]): readonly string[] {
  const byAddress = new Map<string, string>();
  for (const endpoint of endpoints) {
    const address = endpoint.replace(/^\w+:\/\//, "").replace("localhost:", "127.0.0.1:");
    if (!byAddress.has(address)) byAddress.set(address, endpoint);
  }
  return [...byAddress.values()];
}

/** A member may have been asked by several of its names. */
function onePerMember(servers: readonly ServerObservation[]): readonly ServerObservation[] {
  const seen = new Set<bigint>();
  return servers.filter(({ status }) => {
    const id = status?.header.memberId;
    if (id === undefined) return true;
    if (seen.has(id)) return false;
    seen.add(id);
    return true;
  });
}

async function observeServer(context: CommandContext, endpoint: string): Promise<ServerObservation> {
  const { client, addressOf, flags } = context;
  const address = addressOf(endpoint);
  const call = { endpoint: address, timeoutMs: flags.commandTimeout };
  try {
    const status = await client.maintenance.status(call);
    const probe = client.raw.kv.range({ key: new Uint8Array([0]) }, call);
    const serves = await probe.then(
      () => true,
      (error) => /permission denied|user name is empty/.test(messageOf(error)),
    );
    const endsMs = await certificateEnd(address, flags);
    return { endpoint, status, serves, ...(endsMs !== undefined && { certificateEndsMs: endsMs }) };
  } catch (error) {
    return { endpoint, error: messageOf(error), serves: false };
  }
}

/** Asks all for their hash at the newest revision that all of them have. */
async function withHashes(
  { client, addressOf, flags }: CommandContext,
  servers: readonly ServerObservation[],
): Promise<readonly ServerObservation[]> {
  const revisions = servers.flatMap(({ status }) => (status === undefined ? [] : [status.header.revision]));
  const revision = Math.min(...revisions);
  const ask = async (server: ServerObservation): Promise<ServerObservation> => {
    if (server.status === undefined || revisions.length < 2) return server;
    const call = { endpoint: addressOf(server.endpoint), timeoutMs: flags.commandTimeout, revision };
    return client.maintenance.hashKv(call).then(
      ({ hash, compactRevision }) => ({ ...server, hash: { hash, compactRevision } }),
      () => server,
    );
  };
  return Promise.all(servers.map(ask));
}

/** When a server's certificate ends, in ms since 1970; undefined without TLS, or if it does not show one. */
function certificateEnd(address: string, flags: CommandContext["flags"]): Promise<number | undefined> {
  if (!address.startsWith("https://")) return Promise.resolve(undefined);
  const { hostname, port } = new URL(address);
  const file = (path: string) => (path === "" ? undefined : readFileSync(path));
  // It is looked at, not relied on: the calls before have verified it, or were told not to.
  const options = { host: hostname, port: Number(port), rejectUnauthorized: false };
  return new Promise((resolve) => {
    const socket = connect({ ...options, cert: file(flags.cert), key: file(flags.key), timeout: flags.dialTimeout });
    const end = (endsMs: number | undefined): void => {
      socket.destroy();
      resolve(endsMs);
    };
    socket.once("secureConnect", () => end(Date.parse(socket.getPeerCertificate().valid_to)));
    socket.once("timeout", () => end(undefined));
    socket.once("error", () => end(undefined));
  });
}
