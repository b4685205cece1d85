import { utf8 } from "@conclave/base";
import {
  RangeRequest,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from "@conclave/protocol/etcdserverpb";
import { Event_EventType } from "@conclave/protocol/mvccpb";
import type { CommandContext, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag } from "../flags.ts";
import { holdUntilInterrupted, joinQueue, keysOf, untilInterrupted, waitForTurn } from "./queue.ts";

const ttlSec = 60;

/** `elect`: leads until interrupted, or shows who leads. */
export const electCommand: CommandSpec<{ readonly listen: boolean }> = {
  names: ["elect"],
  usage: "<election> [proposal]",
  description: "become the leader of an election and stay it until interrupted, or show its leaders",
  flags: [booleanFlag("-l, --listen", "show the leaders")],
  async run(context, { operands: [name, proposal, ...rest], options: { listen } }) {
    if (name === undefined || rest.length > 0)
      throw badArguments("elect takes one election name argument and an optional proposal argument");
    if (listen && proposal !== undefined) throw badArguments("proposal given but -l is set");
    if (listen) await observe(context, name);
    else if (proposal !== undefined) await campaign(context, name, proposal);
    else throw badArguments("no proposal argument but -l not set");
  },
};

function badArguments(message: string): CommandError {
  return new CommandError(exitCodes.badArguments, message);
}

async function campaign(context: CommandContext, name: string, proposal: string): Promise<void> {
  const { client, io, print } = context;
  const interrupted = io.interruption();
  await using session = await client.session({ ttlSec, signal: interrupted });
  const key = await untilInterrupted(interrupted, session.signal, async (signal) => {
    const place = await joinQueue(client, { name, lease: session.lease, value: proposal });
    await waitForTurn(context, place, signal);
    return place.key;
  });
  print("get", await client.raw.kv.range({ key: utf8(key) }));
  await holdUntilInterrupted(interrupted, session.signal);
}

/** Shows the leader, then every change of its proposal and every next leader, until interrupted. */
async function observe(context: CommandContext, name: string): Promise<void> {
  const interrupted = context.io.interruption();
  try {
    for (;;) await observeLeader(context, name, interrupted);
  } catch (error) {
    if (!interrupted.aborted) throw error;
  }
}

/** Shows one leader to its end, or waits for one. */
async function observeLeader(
  { client, watch, print }: CommandContext,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const first = RangeRequest.fromPartial({
    ...keysOf(name),
    sortTarget: SortTarget.CREATE,
    sortOrder: SortOrder.ASCEND,
    limit: 1n,
  });
  const response = await client.raw.kv.range(first, { signal });
  const leader = response.kvs[0];
  if (leader !== undefined) print("get", { ...response, more: false, count: 0 });
  const range = leader === undefined ? keysOf(name) : { key: leader.key };
  const startRevision = BigInt((response.header?.revision ?? 0) + 1);
  for await (const { header, events } of watch({ ...range, startRevision }, signal)) {
    for (const { type, kv } of events) {
      if (leader === undefined || type === Event_EventType.DELETE) return;
      if (kv !== undefined) print("get", { header, kvs: [kv], more: false, count: 1 });
    }
  }
}
