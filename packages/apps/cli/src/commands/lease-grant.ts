import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { parseInt64 } from "../go/integers.ts";
import { explain } from "./explain.ts";

/** `lease grant`: makes a lease. */
export const leaseGrantCommand: CommandSpec = {
  names: ["grant"],
  usage: "<ttl>",
  description: "make a lease that lives for so many seconds",
  async run({ client, print }, { operands: [text, ...rest] }) {
    if (text === undefined || rest.length > 0)
      throw new CommandError(exitCodes.badArguments, "lease grant command needs TTL argument");
    const request = { TTL: parseTtl(text), ID: 0n };
    print("leaseGrant", await explain("failed to grant lease", client.raw.lease.leaseGrant(request)));
  },
};

function parseTtl(text: string): bigint {
  try {
    return parseInt64(text, 10);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CommandError(exitCodes.badArguments, `bad TTL (${error.message})`, { cause: error });
  }
}
