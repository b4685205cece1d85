import type { CommandSpec } from "../command.ts";
import { textFlag } from "../flags.ts";
import { parseMemberOperand, parsePeerUrls } from "./member-operands.ts";

/** `member update`: tells the cluster a member's new addresses. */
export const memberUpdateCommand: CommandSpec<{ readonly peerUrls: string }> = {
  names: ["update"],
  usage: "<member>",
  description: "tell the cluster a member's new addresses",
  flags: [textFlag("--peer-urls <list>", "the member's addresses for other members, separated by commas")],
  async run({ client, print }, { operands, options }) {
    const id = parseMemberOperand(operands);
    const peerURLs = parsePeerUrls(options.peerUrls);
    print("memberUpdate", { id, response: await client.raw.cluster.memberUpdate({ ID: id, peerURLs }) });
  },
};
