/**
 * @module The commands that etcd 3.4 and 3.5 write as requests of the old API: a member's attributes and the cluster's
 * version. Later versions have commands of their own for both, which 3.4 does not know.
 */
import { Request } from "@conclave/protocol/etcdserverpb/metadata";
import { formatId } from "../consensus/ids.ts";
import { compareApiLevels } from "../membership/api-version.ts";
import { formatAttributes, parseAttributes } from "../membership/membership.ts";
import type { Command, CommandKind } from "./commands.ts";

const versionPath = "/0/version";
/** The tag of the id of a `Request`. An `InternalRaftRequest` has an id in the same place that nobody sets. */
const idTag = 0x08;

/** Whether members of a cluster of this version write the two commands in the old form. */
export function speaksV2(clusterVersion: string | undefined): boolean {
  return clusterVersion !== undefined && compareApiLevels(clusterVersion, "3.6.0") < 0;
}

/** Whether a kind of command has an old form. */
export function hasV2Form(kind: CommandKind): boolean {
  return kind === "clusterVersionSet" || kind === "clusterMemberAttrSet";
}

/** Whether a log entry holds a request of the old API. */
export function isV2Request(data: Uint8Array): boolean {
  return data[0] === idTag;
}

/** The bytes of a command in its old form; undefined if it has none. */
export function encodeV2Request(command: Command): Uint8Array | undefined {
  if (command.kind === "clusterVersionSet") return encodePut(command.id, versionPath, command.request.ver);
  if (command.kind !== "clusterMemberAttrSet") return undefined;
  const { memberID, memberAttributes: { name = "", clientUrls = [] } = {} } = command.request;
  return encodePut(command.id, `/0/members/${formatId(memberID)}/attributes`, formatAttributes({ name, clientUrls }));
}

/** Every field is written, as etcd does, also where it says nothing. */
function encodePut(id: bigint, path: string, value: string): Uint8Array {
  return Request.encode({
    ...{ ID: id, Method: "PUT", Path: path, Val: value },
    ...{ Dir: false, PrevValue: "", PrevIndex: 0n, Expiration: 0n, Wait: false, Since: 0n },
    ...{ Recursive: false, Sorted: false, Quorum: false, Time: 0n, Stream: false },
  }).finish();
}

/**
 * Reads a request of the old API.
 *
 * @returns undefined for any other than the two commands: what clients of the old API kept has no place here
 * @throws the decoder's error, or SyntaxError, if the bytes are none
 */
export function decodeV2Request(data: Uint8Array): Command | undefined {
  const { ID: id = 0n, Method: method, Path: path = "", Val: value = "" } = Request.decode(data);
  if (method !== "PUT") return undefined;
  if (path === versionPath) return { kind: "clusterVersionSet", id, request: { ver: value } };
  const member = /^\/0\/members\/([0-9a-f]{1,16})\/attributes$/.exec(path)?.[1];
  if (member === undefined) return undefined;
  const { name, clientUrls } = parseAttributes(value);
  const request = { memberID: BigInt(`0x${member}`), memberAttributes: { name, clientUrls: [...clientUrls] } };
  return { kind: "clusterMemberAttrSet", id, request };
}
