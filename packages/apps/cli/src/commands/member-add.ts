import type { Member } from "@conclave/protocol/etcdserverpb";
import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag, textFlag } from "../flags.ts";
import { parsePeerUrls } from "./member-operands.ts";

/** The options of `member add`. */
export interface MemberAddOptions {
  /** Without a vote at first. */
  readonly learner: boolean;
  /** The addresses of the new member for other members, separated by commas. */
  readonly peerUrls: string;
}

/** `member add`: lets a member into the cluster. */
export const memberAddCommand: CommandSpec<MemberAddOptions> = {
  names: ["add"],
  usage: "<name>",
  description: "let a member into the cluster, and show what to start it with",
  flags: [
    booleanFlag("--learner", "without a vote until it is promoted"),
    textFlag("--peer-urls <list>", "the member's addresses for other members, separated by commas"),
  ],
  async run({ client, flags, io, print }, { operands: [name, ...rest], options }) {
    if (name === undefined) throw new CommandError(exitCodes.badArguments, "member name not provided");
    if (rest.length > 0) throw new CommandError(exitCodes.badArguments, "too many arguments");
    const peerURLs = parsePeerUrls(options.peerUrls);
    const response = await client.raw.cluster.memberAdd({ peerURLs, isLearner: options.learner });
    print("memberAdd", response);
    if (flags.writeOut === "simple") io.out(settings(name, response.member?.ID ?? 0n, response.members));
  },
};

/** The settings that the new member is to be started with, as a shell takes them. */
function settings(name: string, id: bigint, members: readonly Member[]): string {
  const cluster = members.flatMap((member) =>
    member.peerURLs.map((url) => `${member.ID === id ? name : member.name}=${url}`),
  );
  const own = members.find((member) => member.ID === id)?.peerURLs ?? [];
  return [
    "",
    `ETCD_NAME="${name}"`,
    `ETCD_INITIAL_CLUSTER="${cluster.join(",")}"`,
    `ETCD_INITIAL_ADVERTISE_PEER_URLS="${own.join(",")}"`,
    'ETCD_INITIAL_CLUSTER_STATE="existing"',
    "",
  ].join("\n");
}
