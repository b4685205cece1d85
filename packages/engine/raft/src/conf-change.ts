/** @module The bytes of membership changes in the log: `raftpb.ConfChange` and `raftpb.ConfChangeV2`. */
import { emptyBytes } from "@conclave/base";
import * as raftpb from "@conclave/protocol/raftpb";
import { RaftError } from "./errors.ts";
import type {
  ConfChange,
  ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  ConfChangeV2,
  Entry,
} from "./types.ts";

const types: readonly ConfChangeType[] = ["addNode", "removeNode", "updateNode", "addLearnerNode"];
const transitions: readonly ConfChangeTransition[] = ["auto", "jointImplicit", "jointExplicit"];

function encodeType(type: ConfChangeType): raftpb.ConfChangeType {
  return types.indexOf(type) as raftpb.ConfChangeType;
}

function decodeType(type: number | undefined): ConfChangeType {
  const name = types[type ?? 0];
  if (name === undefined) throw new RaftError("MALFORMED_CONF_CHANGE", `Cannot decode conf change of type ${type}`);
  return name;
}

function decodeTransition(transition: number | undefined): ConfChangeTransition {
  const name = transitions[transition ?? 0];
  if (name === undefined)
    throw new RaftError("MALFORMED_CONF_CHANGE", `Cannot decode conf change of transition ${transition}`);
  return name;
}

/** Runs a decoder of bytes that may be anything. */
function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw new RaftError("MALFORMED_CONF_CHANGE", "Cannot decode conf change as its bytes are malformed", { cause });
  }
}

/** The payload of an entry of type `confChange`. */
export function encodeConfChange(change: ConfChange): Uint8Array {
  const { id, type, nodeId, context } = change;
  return raftpb.ConfChange.encode({
    id,
    type: encodeType(type),
    nodeId,
    // As in etcd, a context without bytes is absent.
    context: context.length > 0 ? context : undefined,
  }).finish();
}

/** The payload of an entry of type `confChangeV2`. */
export function encodeConfChangeV2(change: ConfChangeV2): Uint8Array {
  return raftpb.ConfChangeV2.encode({
    transition: transitions.indexOf(change.transition) as raftpb.ConfChangeTransition,
    changes: change.changes.map(({ type, nodeId }) => ({ type: encodeType(type), nodeId })),
    context: change.context.length > 0 ? change.context : undefined,
  }).finish();
}

/** @throws {@link RaftError} `MALFORMED_CONF_CHANGE` */
function decodeConfChange(data: Uint8Array): ConfChange {
  const message = decoded(() => raftpb.ConfChange.decode(data));
  return {
    id: message.id ?? 0n,
    type: decodeType(message.type),
    nodeId: message.nodeId ?? 0n,
    context: message.context ?? emptyBytes,
  };
}

/** @throws {@link RaftError} `MALFORMED_CONF_CHANGE` */
function decodeConfChangeV2(data: Uint8Array): ConfChangeV2 {
  const message = decoded(() => raftpb.ConfChangeV2.decode(data));
  const changes: ConfChangeSingle[] = message.changes.map(({ type, nodeId }) => ({
    type: decodeType(type),
    nodeId: nodeId ?? 0n,
  }));
  return { transition: decodeTransition(message.transition), changes, context: message.context ?? emptyBytes };
}

/**
 * The change that an entry of the log holds.
 *
 * @param entry - of any type
 * @returns undefined if the entry is a command
 * @throws {@link RaftError} `MALFORMED_CONF_CHANGE` if it holds a change that cannot be read
 */
export function confChangeOf(entry: Pick<Entry, "type" | "data">): ConfChange | ConfChangeV2 | undefined {
  switch (entry.type) {
    case "normal":
      return undefined;
    case "confChange":
      return decodeConfChange(entry.data);
    case "confChangeV2":
      return decodeConfChangeV2(entry.data);
  }
}
