import type { StatusResponse } from "@conclave/protocol/etcdserverpb";
import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import type { EndpointAnswer } from "../format/answers.ts";
import { type ClusterOptions, endpointsOf } from "./endpoints-of.ts";
import { messageOf } from "./explain.ts";

/** `endpoint status`: what each server says of itself. */
export const endpointStatusCommand: CommandSpec<ClusterOptions> = {
  names: ["status"],
  usage: "",
  description: "show version, size, leader, term and indexes of each server",
  async run(context, { options }) {
    const answers: EndpointAnswer<StatusResponse>[] = [];
    let failed = false;
    for (const endpoint of await endpointsOf(context, options)) {
      try {
        const response = await context.client.raw.maintenance.status({}, { endpoint: context.addressOf(endpoint) });
        answers.push({ endpoint, response });
      } catch (error) {
        failed = true;
        context.io.err(`Failed to get the status of endpoint ${endpoint} (${messageOf(error)})\n`);
      }
    }
    context.print("endpointStatus", answers);
    if (failed) throw new CommandError(exitCodes.failure, "");
  },
};
