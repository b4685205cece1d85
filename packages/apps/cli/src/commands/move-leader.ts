import type { StatusResponse } from "@conclave/protocol/etcdserverpb";
import type { CommandContext, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { parseUint64Hex } from "../go/integers.ts";

/** `move-leader`: hands the leadership to another member. */
export const moveLeaderCommand: CommandSpec = {
  names: ["move-leader"],
  usage: "<member>",
  description: "hand the leadership to another member",
  async run(context, { operands: [text, ...rest] }) {
    if (text === undefined || rest.length > 0)
      throw new CommandError(exitCodes.badArguments, "move-leader command needs 1 argument");
    const targetID = parseTarget(text);
    const { endpoint, leader } = await findLeader(context);
    await context.client.raw.maintenance.moveLeader({ targetID }, { endpoint });
    context.io.out(`Leadership transferred from ${leader.toString(16)} to ${targetID.toString(16)}\n`);
  },
};

function parseTarget(text: string): bigint {
  try {
    return parseUint64Hex(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CommandError(exitCodes.badArguments, error.message, { cause: error });
  }
}

/** Only the leader itself can hand over. */
async function findLeader({ client, flags, addressOf }: CommandContext): Promise<{ endpoint: string; leader: bigint }> {
  for (const given of flags.endpoints) {
    const endpoint = addressOf(given);
    const status: StatusResponse = await client.raw.maintenance.status({}, { endpoint });
    if (status.header?.memberId === status.leader) return { endpoint, leader: status.leader };
  }
  throw new CommandError(exitCodes.badArguments, `no leader endpoint given at ${JSON.stringify(flags.endpoints)}`);
}
