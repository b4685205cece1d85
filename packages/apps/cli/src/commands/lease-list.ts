import type { CommandSpec } from "../command.ts";

/** `lease list`: all leases. */
export const leaseListCommand: CommandSpec = {
  names: ["list"],
  usage: "",
  description: "list all leases",
  async run({ client, print }) {
    print("leaseList", await client.raw.lease.leaseLeases({}));
  },
};
