import type { CommandSpec } from "../command.ts";
import { textFlag } from "../flags.ts";
import { isSerializable } from "./consistency.ts";

/** `member list`: the members of the cluster. */
export const memberListCommand: CommandSpec<{ readonly consistency: string }> = {
  names: ["list"],
  usage: "",
  description: "list the members",
  flags: [textFlag("--consistency <l|s>", "linearizable (l) or serializable (s)", "l")],
  async run({ client, print }, { options }) {
    const linearizable = !isSerializable(options.consistency);
    print("memberList", await client.raw.cluster.memberList({ linearizable }));
  },
};
