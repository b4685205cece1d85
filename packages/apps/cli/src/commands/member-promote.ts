import type { CommandSpec } from "../command.ts";
import { parseMemberOperand } from "./member-operands.ts";

/** `member promote`: gives a learner a vote. */
export const memberPromoteCommand: CommandSpec = {
  names: ["promote"],
  usage: "<member>",
  description: "give a learner a vote",
  async run({ client, print }, { operands }) {
    const id = parseMemberOperand(operands);
    print("memberPromote", { id, response: await client.raw.cluster.memberPromote({ ID: id }) });
  },
};
