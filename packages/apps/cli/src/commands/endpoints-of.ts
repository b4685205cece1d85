import type { CommandContext } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { messageOf } from "./explain.ts";

/** The options of commands about single servers. */
export interface ClusterOptions {
  /** Ask all members of the cluster. */
  readonly cluster: boolean;
}

/** The servers to ask one by one: those the user named, or the client addresses of all members. */
export async function endpointsOf(
  { client, flags }: CommandContext,
  { cluster }: ClusterOptions,
): Promise<readonly string[]> {
  if (!cluster) return flags.endpoints;
  try {
    const { members } = await client.raw.cluster.memberList();
    return members.flatMap(({ clientURLs }) => clientURLs);
  } catch (error) {
    const message = `failed to fetch endpoints from etcd cluster member list: ${messageOf(error)}`;
    throw new CommandError(exitCodes.failure, message, { cause: error });
  }
}
