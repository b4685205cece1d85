import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag } from "../flags.ts";
import { parseLeaseOperand } from "./lease-id.ts";

/** `lease timetolive`: what is left of a lease. */
export const leaseTimeToLiveCommand: CommandSpec<{ readonly keys: boolean }> = {
  names: ["timetolive"],
  usage: "<lease>",
  description: "show what is left of a lease",
  flags: [booleanFlag("--keys", "show the keys attached to it")],
  async run({ client, print }, { operands: [text, ...rest], options: { keys } }) {
    if (text === undefined || rest.length > 0)
      throw new CommandError(exitCodes.badArguments, "lease timetolive command needs lease ID as argument");
    const response = await client.raw.lease.leaseTimeToLive({ ID: parseLeaseOperand(text), keys });
    print("leaseTimeToLive", { response, keys });
  },
};
