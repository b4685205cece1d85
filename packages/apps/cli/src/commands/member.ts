import type { CommandGroup, CommandSpec } from "../command.ts";

/** `member list`: the members of the cluster. */
const memberListCommand: CommandSpec = {
  names: ["list"],
  usage: "",
  description: "list the members",
  async run({ client, print }) {
    print("memberList", await client.raw.cluster.memberList({ linearizable: true }));
  },
};

/** `member`: commands about members. */
export const memberGroup: CommandGroup = {
  name: "member",
  description: "look at the members of the cluster",
  commands: [memberListCommand],
};
