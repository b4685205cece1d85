import { emptyBytes, utf8 } from "@conclave/base";
import { brokenRule, fromConfState } from "./configuration.ts";
import type { Entry, Message, MessageType } from "./types.ts";

const noEntries: Message["entries"] = [];

/** What a message says beyond its type and receiver; what is left out is zero. */
export type MessageFields = Partial<Omit<Message, "type" | "to" | "from">>;

/** Names the parties of a message. */
export interface MessageHeader {
  /** What is said. */
  readonly type: MessageType;
  /** The receiver. */
  readonly to: bigint;
  /** The sender. */
  readonly from: bigint;
}

/**
 * A message with every field in its place, so that all have one shape; what is not said is 0, false or empty.
 *
 * @param header - what the message is, from whom and to whom
 * @param fields - what it says
 */
export function createMessage(header: MessageHeader, fields: MessageFields): Message {
  return {
    type: header.type,
    to: header.to,
    from: header.from,
    term: fields.term ?? 0,
    logTerm: fields.logTerm ?? 0,
    index: fields.index ?? 0,
    entries: fields.entries ?? noEntries,
    commit: fields.commit ?? 0,
    snapshot: fields.snapshot,
    reject: fields.reject ?? false,
    rejectHint: fields.rejectHint ?? 0,
    context: fields.context ?? emptyBytes,
  };
}

/** Marks the vote requests of an election that the old leader asked for (thesis §3.10), as etcd does. */
export const campaignTransfer: Uint8Array = utf8("CampaignTransfer");

/** Whether the message speaks only to the member itself: it must not come from the network. */
export function isLocalMessage(type: MessageType): boolean {
  switch (type) {
    case "MsgHup":
    case "MsgBeat":
    case "MsgUnreachable":
    case "MsgSnapStatus":
    case "MsgCheckQuorum":
    case "MsgForgetLeader":
      return true;
    default:
      return false;
  }
}

/** Whether the message answers a request; an answer from a member that left is of no use. */
export function isResponse(type: MessageType): boolean {
  switch (type) {
    case "MsgAppResp":
    case "MsgVoteResp":
    case "MsgHeartbeatResp":
    case "MsgReadIndexResp":
    case "MsgPreVoteResp":
      return true;
    default:
      return false;
  }
}

/**
 * Whether a message of a `Ready` may be sent while its entries and hard state are still on their way to the
 * disk: what a leader sends, for its term is durable since it was elected, and an entry counts as its own copy only
 * once it is durable (thesis §10.2.1). Votes, requests for votes and acknowledgements promise what is on disk; they
 * must wait.
 */
export function maySendBeforeSave(message: Message): boolean {
  switch (message.type) {
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
    case "MsgTimeoutNow":
    case "MsgProp":
    case "MsgReadIndex":
    case "MsgReadIndexResp":
      return true;
    default:
      return false;
  }
}

/** The name of the read that a well-formed message is about: it travels as the data of an entry. */
export function readContext(message: Message): Uint8Array {
  return message.entries[0]?.data ?? emptyBytes;
}

/** The entries of a message about a read. */
export function readEntries(context: Uint8Array): readonly Entry[] {
  return [{ type: "normal", term: 0, index: 0, data: context }];
}

/** Why a message from the network cannot be taken, in words; undefined if its form is sound. */
export function malformation(message: Message, receiver: bigint): string | undefined {
  const { type, from, to, term } = message;
  if (isLocalMessage(type)) return `${type} does not travel`;
  if (to !== receiver) return `the message is for ${to}`;
  if (from === receiver || from === 0n) return `the sender cannot be ${from}`;
  const counters = [term, message.logTerm, message.index, message.commit, message.rejectHint];
  if (!counters.every((counter) => Number.isSafeInteger(counter) && counter >= 0)) return "a counter is out of range";
  if (term === 0 && !isTermless(type)) return "the term is missing";
  switch (type) {
    case "MsgProp":
      return message.entries.length === 0 ? "a proposal has no entries" : undefined;
    case "MsgReadIndex":
    case "MsgReadIndexResp":
      return message.entries.length === 1 ? undefined : "a read has one name";
    case "MsgSnap":
      return malformationOfSnapshot(message);
    case "MsgApp":
      return malformationOfEntries(message);
    default:
      return undefined;
  }
}

/** Whether messages of the type belong to no term, whatever they say: what may be asked of whoever leads. */
export function isTermless(type: MessageType): boolean {
  return type === "MsgProp" || type === "MsgReadIndex" || type === "MsgTransferLeader";
}

function malformationOfSnapshot(message: Message): string | undefined {
  if (message.snapshot === undefined) return "the snapshot is missing";
  const { index, term, confState } = message.snapshot.metadata;
  if (!Number.isSafeInteger(index) || index < 1) return `the snapshot's index ${index} is out of range`;
  if (!Number.isSafeInteger(term) || term < 1 || term > message.term)
    return `the snapshot's term ${term} is out of range`;
  return brokenRule(fromConfState(confState));
}

function malformationOfEntries(message: Message): string | undefined {
  let previous = { index: message.index, term: message.logTerm };
  for (const entry of message.entries) {
    if (entry.index !== previous.index + 1) return "the entries are not contiguous";
    if (entry.term < previous.term || entry.term > message.term) return "the entries' terms are out of order";
    previous = entry;
  }
  return undefined;
}
