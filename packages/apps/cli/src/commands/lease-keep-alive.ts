import { setTimeout as sleep } from "node:timers/promises";
import { type Client, isConclaveError } from "@conclave/client";
import type { LeaseKeepAliveResponse } from "@conclave/protocol/etcdserverpb";
import type { CommandContext, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag } from "../flags.ts";
import { hex16 } from "../go/integers.ts";
import { messageOf } from "./explain.ts";
import { parseLeaseOperand } from "./lease-id.ts";

/** `lease keep-alive`: renews a lease, once or for ever. */
export const leaseKeepAliveCommand: CommandSpec<{ readonly once: boolean }> = {
  names: ["keep-alive"],
  usage: "<lease>",
  description: "renew a lease until it ends",
  flags: [booleanFlag("--once", "renew it once and exit")],
  async run(context, { operands: [text, ...rest], options: { once } }) {
    if (text === undefined || rest.length > 0)
      throw new CommandError(exitCodes.badArguments, "lease keep-alive command needs lease ID as argument");
    const id = parseLeaseOperand(text);
    if (once) context.print("leaseKeepAlive", await renewOnce(context.client, id));
    else await renewForever(context, id);
  },
};

async function renew(client: Client, id: bigint): Promise<LeaseKeepAliveResponse> {
  const { header, ttlSec } = await client.lease.keepAliveOnce(id);
  return { header, ID: id, TTL: ttlSec };
}

async function renewOnce(client: Client, id: bigint): Promise<LeaseKeepAliveResponse> {
  try {
    return await renew(client, id);
  } catch (error) {
    throw new CommandError(exitCodes.badConnection, messageOf(error), { cause: error });
  }
}

/** Renews a lease every third of its time to live until it is gone. */
async function renewForever({ client, flags, io, print }: CommandContext, id: bigint): Promise<void> {
  try {
    for (;;) {
      const response = await renew(client, id);
      print("leaseKeepAlive", response);
      await sleep((response.TTL * 1000) / 3);
    }
  } catch (error) {
    if (!isConclaveError(error, "LEASE_NOT_FOUND")) throw error;
  }
  if (flags.writeOut === "simple") io.out(`lease ${hex16(id)} expired or revoked.\n`);
}
