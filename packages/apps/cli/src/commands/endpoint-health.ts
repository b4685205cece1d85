import { performance } from "node:perf_hooks";
import { utf8 } from "@conclave/base";
import { isConclaveError } from "@conclave/client";
import type { CommandContext, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import type { EndpointHealth } from "../format/answers.ts";
import { type ClusterOptions, endpointsOf } from "./endpoints-of.ts";
import { messageOf } from "./explain.ts";

/** Any key will do: it need not be there. */
const probe = { key: utf8("health") };

/** `endpoint health`: whether each server commits. */
export const endpointHealthCommand: CommandSpec<ClusterOptions> = {
  names: ["health"],
  usage: "",
  description: "show whether each server can commit a proposal",
  async run(context, { options }) {
    const found: EndpointHealth[] = [];
    const check = async (endpoint: string) => void found.push(await checkHealth(context, endpoint));
    await Promise.all((await endpointsOf(context, options)).map(check));
    context.print("endpointHealth", found);
    if (found.some(({ error }) => error !== undefined)) throw new CommandError(exitCodes.failure, "unhealthy cluster");
  },
};

async function checkHealth({ client, addressOf }: CommandContext, endpoint: string): Promise<EndpointHealth> {
  const startMs = performance.now();
  const error = await client.raw.kv.range(probe, { endpoint: addressOf(endpoint) }).then(
    () => undefined,
    // A server that looks into permissions has reached its peers.
    (reason) => (isConclaveError(reason, "PERMISSION_DENIED") ? undefined : messageOf(reason)),
  );
  return { endpoint, tookMs: performance.now() - startMs, error };
}
