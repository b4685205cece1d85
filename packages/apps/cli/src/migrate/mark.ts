/**
 * @module The mark that a migration leaves at its destination: from where it copies and how far it is. Everything that
 * the source wrote up to that revision is there, in the source's order. It tells a destination that may be written to
 * from a cluster of somebody else's, and is removed when the migration is finished.
 *
 * Every transaction of a migration moves it, and demands that it be as the transaction before has left it. So they take
 * effect in their order, each once, though many are on their way at a time; and a run that another one has followed
 * writes nothing more.
 */
import { compareBytes, utf8, utf8Text } from "@conclave/base";
import type { Client } from "@conclave/client";
import {
  Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  RequestOp,
} from "@conclave/protocol/etcdserverpb";
import * as z from "zod";
import { CommandError, exitCodes } from "../exit.ts";

/** What a mark says. */
export interface Mark {
  /** Id of the cluster that is copied, in hexadecimal. */
  readonly source: string;
  /** The revision of it that all is copied up to. */
  readonly revision: number;
  /** Which run writes it; none is like another. */
  readonly run: string;
  /** How many transactions that run has made. */
  readonly step: number;
}

/** The key that holds it. */
const markKey = utf8("_conclave_migration");

/** Whether a key is that one. */
export function isMarkKey(key: Uint8Array): boolean {
  return compareBytes(key, markKey) === 0;
}

const markSchema = z.object({
  source: z.string(),
  revision: z.number().int().nonnegative(),
  run: z.string().default(""),
  step: z.number().int().nonnegative().default(0),
});

/**
 * The mark in a cluster; undefined if there is none.
 *
 * @throws CommandError if the key holds something else
 */
export async function readMark(client: Client): Promise<Mark | undefined> {
  const { kvs } = await client.raw.kv.range({ key: markKey });
  const [pair] = kvs;
  return pair === undefined ? undefined : parseMark(utf8Text(pair.value));
}

/** Leaves a mark, in the place of the one that may be there. */
export async function writeMark(client: Client, mark: Mark): Promise<void> {
  await client.raw.kv.put({ key: markKey, value: bytesOf(mark) }, { idempotent: true });
}

/** The condition that the mark in the cluster is this one. */
export function isAt(mark: Mark): Compare {
  return Compare.fromPartial({
    key: markKey,
    target: CompareTarget.VALUE,
    result: CompareResult.EQUAL,
    targetUnion: { $case: "value", value: bytesOf(mark) },
  });
}

/** The operation that leaves a mark. */
export function moveTo(mark: Mark): RequestOp {
  return RequestOp.fromPartial({ request: { $case: "requestPut", value: { key: markKey, value: bytesOf(mark) } } });
}

function bytesOf(mark: Mark): Uint8Array {
  return utf8(JSON.stringify(mark));
}

/** Takes the mark away. */
export async function removeMark(client: Client): Promise<void> {
  await client.raw.kv.deleteRange({ key: markKey }, { idempotent: true });
}

function parseMark(text: string): Mark {
  try {
    return markSchema.parse(JSON.parse(text));
  } catch (cause) {
    const message = `the key ${utf8Text(markKey)} is no mark of a migration`;
    throw new CommandError(exitCodes.failure, message, { cause });
  }
}
