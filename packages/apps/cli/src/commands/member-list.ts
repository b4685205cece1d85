import type { CommandSpec } from "../command.ts";

/** `member list`: the members of the cluster. */
export const memberListCommand: CommandSpec = {
  names: ["list"],
  usage: "",
  description: "list the members",
  async run({ client, print }) {
    print("memberList", await client.raw.cluster.memberList({ linearizable: true }));
  },
};
