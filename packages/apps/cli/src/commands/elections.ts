import { readLeaseTimes } from "@conclave/client";
import { createElection, type Leader, listElections, type NamedElection } from "@conclave/election";
import type { CommandContext, CommandSpec } from "../command.ts";
import { printListing } from "../format/listing.ts";
import { leaseJson, leaseText } from "../format/times.ts";
import { optionalOperand } from "./own-arguments.ts";

/** `elections`: who leads, or of one election who stands behind too. */
export const electionsCommand: CommandSpec = {
  names: ["elections"],
  usage: "[name]",
  description: "list the elections with their leaders, or show one: its leader and who stands behind, in order",
  async run(context, { operands }) {
    const name = optionalOperand("elections", operands);
    if (name === undefined) await list(context);
    else await show(context, name);
  },
};

async function list(context: CommandContext): Promise<void> {
  const { revision, elections } = await listElections(context.client);
  const times = await readLeaseTimes(context.client, elections.map(leaseOf));
  printListing(context, {
    columns: ["Name", "Leader", "Fence", "Since", "Proclaimed", "Lease TTL", "Candidates"],
    rows: elections.map(({ name, leader, candidates }) => [
      ...[name, leader.value, leader.fence, `revision ${leader.fence}`, `revision ${leader.revision}`],
      ...[leaseText(leader.lease, times), candidates.length],
    ]),
    json: {
      revision,
      elections: elections.map(({ name, leader, candidates }) => ({
        ...{ name, leader: { ...leader, ...leaseJson(leader.lease, times) }, candidates: candidates.length },
      })),
    },
  });
}

async function show(context: CommandContext, name: string): Promise<void> {
  const { revision, leader, candidates } = await createElection(context.client, name).inspect();
  const standing: readonly Leader[] = leader === undefined ? [] : [leader, ...candidates];
  const times = await readLeaseTimes(
    context.client,
    standing.map(({ lease }) => lease),
  );
  const json = (each: Leader) => ({ ...each, ...leaseJson(each.lease, times) });
  printListing(context, {
    columns: ["Place", "Value", "Fence", "Since", "Lease", "Lease TTL"],
    rows: standing.map(({ value, fence, lease }, at) => [
      ...[at === 0 ? "leader" : String(at), value, fence, `revision ${fence} of ${revision}`],
      ...[lease.toString(16), leaseText(lease, times)],
    ]),
    json: {
      ...{ name, revision, leader: leader === undefined ? undefined : json(leader) },
      candidates: candidates.map(json),
    },
  });
}

function leaseOf({ leader }: NamedElection): bigint {
  return leader.lease;
}
