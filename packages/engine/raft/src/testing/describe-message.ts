/** @module What members say and do, as lines a person can read. */
import { hex, utf8Text } from "@conclave/base";
import { confChangeOf } from "../conf-change.ts";
import { asConfChangeV2 } from "../configuration-change.ts";
import type { Ready } from "../ready.ts";
import type { ConfState, Entry, Message } from "../types.ts";

const changeSigns = { addNode: "+", removeNode: "-", updateNode: "~", addLearnerNode: "+learner " } as const;

function describePayload(entry: Entry): string {
  const change = confChangeOf(entry);
  if (change === undefined) return JSON.stringify(describeBytes(entry.data));
  const { transition, changes } = asConfChangeV2(change);
  const singles = changes.map(({ type, nodeId }) => `${changeSigns[type]}${nodeId}`);
  const how = transition === "auto" ? "" : `${transition} `;
  return `{${how}${singles.length > 0 ? singles.join(" ") : "leave"}}`;
}

function describeBytes(bytes: Uint8Array): string {
  return bytes.includes(0) ? `0x${hex(bytes).replace(/^0+(?=.)/, "")}` : utf8Text(bytes);
}

/** An entry as `index/term "data"`. */
export function describeEntry(entry: Entry): string {
  return `${entry.index}/${entry.term} ${describePayload(entry)}`;
}

/** Entries side by side. */
export function describeEntries(entries: readonly Entry[]): string {
  return entries.map(describeEntry).join(", ");
}

/** A membership as `(1 2 3)&&(1 2) learners (4)`. */
export function describeConfState(confState: ConfState): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = confState;
  const list = (ids: readonly bigint[]): string => `(${ids.join(" ")})`;
  const parts = [list(voters) + (votersOutgoing.length > 0 ? `&&${list(votersOutgoing)}` : "")];
  if (learners.length > 0) parts.push(`learners ${list(learners)}`);
  if (learnersNext.length > 0) parts.push(`learners next ${list(learnersNext)}`);
  if (autoLeave) parts.push("auto-leave");
  return parts.join(" ");
}

/** A message as `1->2 MsgApp term 1 log 3/1 commit 3 entries 4/1 "x"`. */
export function describeMessage(message: Message): string {
  const { type, from, to, term, commit, entries, context, snapshot } = message;
  const parts = [`${from}->${to} ${type}`];
  if (term > 0) parts.push(`term ${term}`);
  parts.push(...describePosition(message));
  if (commit > 0) parts.push(`commit ${commit}`);
  if (entries.length > 0) parts.push(`entries ${describeEntries(entries)}`);
  if (context.length > 0) parts.push(`context ${describeBytes(context)}`);
  if (snapshot !== undefined) parts.push(describeSnapshot(snapshot));
  return parts.join(" ");
}

/** What the index of a message means, which depends on its type. */
function describePosition(message: Message): readonly string[] {
  const { type, index, logTerm, reject, rejectHint } = message;
  switch (type) {
    case "MsgApp":
      return [`after ${index}/${logTerm}`];
    case "MsgVote":
    case "MsgPreVote":
      return [`last ${index}/${logTerm}`];
    case "MsgAppResp":
      return [reject ? `rejects after ${index}, hint ${rejectHint}/${logTerm}` : `match ${index}`];
    case "MsgReadIndexResp":
      return [`index ${index}`];
    default:
      return reject ? ["rejects"] : [];
  }
}

function describeSnapshot(snapshot: NonNullable<Message["snapshot"]>): string {
  const { index, term, confState } = snapshot.metadata;
  return `snapshot ${index}/${term} ${describeConfState(confState)}`;
}

/** A Ready as lines, without its empty parts. */
export function describeReady(ready: Ready): readonly string[] {
  const lines: string[] = [];
  const { softState, hardState, entries, snapshot, committedEntries, messages, readStates, mustSync } = ready;
  if (softState !== undefined) lines.push(`${softState.role}, lead ${softState.lead}`);
  if (hardState !== undefined) {
    const { term, vote, commit } = hardState;
    lines.push(`save term ${term} vote ${vote} commit ${commit}${mustSync ? " (sync)" : ""}`);
  }
  if (snapshot !== undefined) lines.push(`save ${describeSnapshot(snapshot)}`);
  if (entries.length > 0) lines.push(`save entries ${describeEntries(entries)}`);
  if (committedEntries.length > 0) lines.push(`apply ${describeEntries(committedEntries)}`);
  for (const { index, context } of readStates) lines.push(`read ${describeBytes(context)} at ${index}`);
  for (const message of messages) lines.push(`send ${describeMessage(message)}`);
  return lines;
}
