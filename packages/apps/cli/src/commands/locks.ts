import { readLeaseTimes } from "@conclave/client";
import { listLocks } from "@conclave/lock";
import type { CommandGroup, CommandSpec } from "../command.ts";
import { printListing } from "../format/listing.ts";
import { leaseJson, leaseText } from "../format/times.ts";
import { locksExplainCommand } from "./locks-explain.ts";
import { optionalOperand } from "./own-arguments.ts";

const locksListCommand: CommandSpec = {
  names: ["locks"],
  usage: "[prefix] | explain <name>",
  description: "list the locks that are held",
  async run(context, { operands }) {
    const prefix = optionalOperand("locks", operands) ?? "";
    const { revision, locks } = await listLocks(context.client, { prefix });
    const times = await readLeaseTimes(
      context.client,
      locks.map(({ holder }) => holder.lease),
    );
    printListing(context, {
      columns: ["Name", "Holder", "Fence", "Lease", "Lease TTL", "Waiters"],
      rows: locks.map(({ name, holder, waiters }) => [
        ...[name, holder.holder, holder.fence, holder.lease.toString(16), leaseText(holder.lease, times)],
        waiters.length,
      ]),
      json: {
        revision,
        locks: locks.map(({ name, holder: { key, fence, lease, holder }, waiters }) => ({
          ...{ name, key, holder, fence, ...leaseJson(lease, times), waiters: waiters.length },
        })),
      },
    });
  },
};

/** `locks`: who holds which lock, whoever took it. */
export const locksGroup: CommandGroup = {
  name: "locks",
  description: "list the locks that are held, or explain one: who holds it, who waits, and what to do",
  byDefault: locksListCommand,
  commands: [locksExplainCommand],
};
