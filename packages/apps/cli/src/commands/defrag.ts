import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag, textFlag } from "../flags.ts";
import { type ClusterOptions, endpointsOf } from "./endpoints-of.ts";
import { messageOf } from "./explain.ts";

/** `defrag`: gives the space that deletions left in the stores back. */
export const defragCommand: CommandSpec<ClusterOptions & { readonly dataDir: string }> = {
  names: ["defrag"],
  usage: "",
  description: "give back the space that deletions left in each server's store",
  flags: [
    booleanFlag("--cluster", "ask all members of the cluster instead of the servers named by --endpoints"),
    textFlag("--data-dir <directory>", "not supported: a store without a server needs no defragmentation"),
  ],
  async run(context, { options }) {
    const { client, flags, io } = context;
    if (options.dataDir !== "")
      throw new CommandError(exitCodes.badFeature, "--data-dir is not supported: start a server and defragment that");
    let failed = false;
    for (const endpoint of await endpointsOf(context, options)) {
      try {
        const call = { endpoint: context.addressOf(endpoint), timeoutMs: flags.commandTimeout };
        await client.raw.maintenance.defragment({}, call);
        io.out(`Finished defragmenting etcd member[${endpoint}]\n`);
      } catch (error) {
        failed = true;
        io.err(`Failed to defragment etcd member[${endpoint}] (${messageOf(error)})\n`);
      }
    }
    if (failed) throw new CommandError(exitCodes.failure, "");
  },
};
