import type { HashKVResponse } from "@conclave/protocol/etcdserverpb";
import type { CommandSpec } from "../command.ts";
import { int64Flag } from "../flags.ts";
import type { EndpointAnswer } from "../format/answers.ts";
import { type ClusterOptions, endpointsOf } from "./endpoints-of.ts";
import { messageOf } from "./explain.ts";

/** `endpoint hashkv`: the hash of each server's history, to see whether they are the same. */
export const endpointHashKvCommand: CommandSpec<ClusterOptions & { readonly rev: bigint }> = {
  names: ["hashkv"],
  usage: "",
  description: "show the hash of the key-value history of each server",
  flags: [int64Flag("rev", "highest revision to hash; 0 for the newest")],
  async run(context, { options }) {
    const { client, flags, io, print } = context;
    const answers: EndpointAnswer<HashKVResponse>[] = [];
    let failure: unknown;
    for (const endpoint of await endpointsOf(context, options)) {
      try {
        const call = { endpoint: context.addressOf(endpoint), timeoutMs: flags.commandTimeout };
        answers.push({ endpoint, response: await client.raw.maintenance.hashKV({ revision: options.rev }, call) });
      } catch (error) {
        failure = error;
        io.err(`Failed to get the hash of endpoint ${endpoint} (${messageOf(error)})\n`);
      }
    }
    print("endpointHashKv", answers);
    if (failure !== undefined) throw failure;
  },
};
