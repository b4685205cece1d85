import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { explain } from "./explain.ts";
import { parseLeaseOperand } from "./lease-id.ts";

/** `lease revoke`: ends a lease. */
export const leaseRevokeCommand: CommandSpec = {
  names: ["revoke"],
  usage: "<lease>",
  description: "end a lease and delete its keys",
  async run({ client, print }, { operands: [text, ...rest] }) {
    if (text === undefined || rest.length > 0)
      throw new CommandError(exitCodes.badArguments, "lease revoke command needs 1 argument");
    const id = parseLeaseOperand(text);
    const response = await explain("failed to revoke lease", client.raw.lease.leaseRevoke({ ID: id }));
    print("leaseRevoke", { id, response });
  },
};
