import { utf8 } from "@conclave/base";
import { isConclaveError } from "@conclave/client";
import { createElection, type Election } from "@conclave/election";
import type { CommandContext, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag } from "../flags.ts";
import { holdUntilInterrupted, waitToOwn } from "./hold.ts";

const ttlSec = 60;

/** `elect`: leads until interrupted, or shows who leads. */
export const electCommand: CommandSpec<{ readonly listen: boolean }> = {
  names: ["elect"],
  usage: "<election> [proposal]",
  description: "become the leader of an election and stay it until interrupted, or show its leaders",
  flags: [booleanFlag("-l, --listen", "show the leaders")],
  async run(context, { operands: [name, proposal, ...rest], options: { listen } }) {
    if (name === undefined || rest.length > 0)
      throw badArguments("elect takes one election name argument and an optional proposal argument");
    if (listen && proposal !== undefined) throw badArguments("proposal given but -l is set");
    const election = createElection(context.client, name, { ttlSec });
    if (listen) await observe(context, election);
    else if (proposal !== undefined) await campaign(context, election, proposal);
    else throw badArguments("no proposal argument but -l not set");
  },
};

function badArguments(message: string): CommandError {
  return new CommandError(exitCodes.badArguments, message);
}

async function campaign({ client, io, print }: CommandContext, election: Election, proposal: string): Promise<void> {
  const interrupted = io.interruption();
  await using leadership = await waitToOwn(election.campaign(proposal, { signal: interrupted }));
  print("get", await client.raw.kv.range({ key: utf8(leadership.key) }));
  await holdUntilInterrupted(leadership, interrupted);
}

/** Shows the leader, then every change of its proposal and every next leader, until interrupted. */
async function observe({ client, io, print }: CommandContext, election: Election): Promise<void> {
  const interrupted = io.interruption();
  try {
    for await (const { key, revision } of election.observe({ signal: interrupted }))
      print("get", await client.raw.kv.range({ key: utf8(key), revision: BigInt(revision) }));
  } catch (error) {
    if (!isConclaveError(error, "ABORTED")) throw error;
  }
}
