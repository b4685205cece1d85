import type { CommandSpec } from "../command.ts";
import { parseMemberOperand } from "./member-operands.ts";

/** `member remove`: takes a member out of the cluster. */
export const memberRemoveCommand: CommandSpec = {
  names: ["remove"],
  usage: "<member>",
  description: "take a member out of the cluster",
  async run({ client, print }, { operands }) {
    const id = parseMemberOperand(operands);
    print("memberRemove", { id, response: await client.raw.cluster.memberRemove({ ID: id }) });
  },
};
