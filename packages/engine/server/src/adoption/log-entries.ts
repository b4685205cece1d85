/** @module The entries of a log that another program wrote: what they do to the membership, and whether all are understood. */
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Request } from "@conclave/protocol/etcdserverpb/metadata";
import { confChangeOf, type Entry } from "@conclave/raft";
import { SnapshotError } from "@conclave/snapshot";
import { type Command, decodeCommand } from "../apply/commands.ts";
import { isV2Request } from "../apply/v2-requests.ts";
import type { Membership } from "../membership/membership.ts";
import { applyMembershipChange } from "../membership/membership-changes.ts";

/**
 * Fields of `InternalRaftRequest` that change nothing when they are applied: requests to look something up, and one to
 * log in, whose token is forgotten with the process that gave it.
 */
const harmlessFields: ReadonlySet<number> = new Set([3, 100, 1012, 1013, 1102, 1106, 1107, 1202, 9900]);
/** Where clients of the second API kept their keys. */
const userKeys = "/1/";

/**
 * Holds the entries that are yet to be applied to what this version can apply: what it passed over, etcd would have done.
 *
 * @param applied - the last entry that need not be applied
 * @throws SnapshotError `CORRUPT` that names the entry
 */
export function checkEntries(entries: readonly Entry[], applied: number): void {
  for (const entry of entries) {
    const reason = objectionTo(entry, applied);
    if (reason !== undefined) throw new SnapshotError("CORRUPT", `entry ${entry.index} of the log ${reason}`);
  }
}

function objectionTo(entry: Entry, applied: number): string | undefined {
  const { type, data, index } = entry;
  if (type === "confChangeV2") return "changes several members at once, which etcd never does";
  if (type === "confChange") return readsAs(() => confChangeOf(entry));
  if (data.length === 0) return undefined;
  if (isV2Request(data)) return objectionToV2(data);
  if (index <= applied) return undefined;
  return readsAs(() => decodeCommand(data)) ?? unknownCommand(data);
}

/** Keys of the second API are lost silently unless they are refused, whether they were applied or not. */
function objectionToV2(data: Uint8Array): string | undefined {
  const unreadable = readsAs(() => Request.decode(data));
  if (unreadable !== undefined) return unreadable;
  const { Method: method = "", Path: path = "" } = Request.decode(data);
  const writes = method === "PUT" || method === "POST" || method === "DELETE";
  return writes && path.startsWith(userKeys) ? "writes a key of the second API of etcd, which is gone" : undefined;
}

function unknownCommand(data: Uint8Array): string | undefined {
  if (decodeCommand(data) !== undefined) return undefined;
  const reader = new BinaryReader(data);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (!harmlessFields.has(field)) return `holds a command that this version does not know, number ${field}`;
    reader.skip(wireType, field);
  }
  return undefined;
}

function readsAs(decode: () => unknown): string | undefined {
  try {
    decode();
    return undefined;
  } catch (error) {
    return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Applies to a membership what an entry changes of it. */
export function applyToMembership(entry: Entry, membership: Membership, maxLearners: number): void {
  const change = confChangeOf(entry);
  if (change !== undefined && "nodeId" in change) applyMembershipChange(change, membership, { maxLearners });
  else if (entry.type === "normal" && entry.data.length > 0) applyAttributes(decodeCommand(entry.data), membership);
}

function applyAttributes(command: Command | undefined, membership: Membership): void {
  if (command?.kind === "clusterVersionSet") membership.setClusterVersion(command.request.ver);
  else if (command?.kind === "clusterMemberAttrSet") {
    const { memberID, memberAttributes } = command.request;
    if (memberAttributes !== undefined) membership.setAttributes(memberID, memberAttributes);
  }
}
