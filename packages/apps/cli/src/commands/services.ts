import { type LeaseTimes, readLeaseTimes } from "@conclave/client";
import { createRegistry, type InstanceChange, type ListedInstance, type Registry } from "@conclave/registry";
import type { CommandContext, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag, textFlag } from "../flags.ts";
import { type Listing, printListing } from "../format/listing.ts";
import { ageText, leaseJson, leaseText } from "../format/times.ts";
import { goJson } from "../go/json.ts";
import { optionalOperand } from "./own-arguments.ts";

/** The options of `services`. */
interface ServicesOptions {
  /** Whether to go on with what changes. */
  readonly watch: boolean;
  /** What the keys start with. */
  readonly prefix: string;
}

/** `services`: the instances that `@conclave/registry` has registered. */
export const servicesCommand: CommandSpec<ServicesOptions> = {
  names: ["services"],
  usage: "[name]",
  description: "list the registered instances of a service or of all, and with --watch what becomes of them",
  flags: [
    booleanFlag("--watch", "follow the instances until interrupted, a line for each change"),
    textFlag("--prefix <prefix>", "what the registry's keys start with", "services/"),
  ],
  async run(context, { operands, options }) {
    const service = optionalOperand("services", operands);
    const registry = createRegistry(context.client, { prefix: options.prefix });
    if (options.watch) await follow(context, registry, service);
    else await list(context, registry, service);
  },
};

async function list(context: CommandContext, registry: Registry, service: string | undefined): Promise<void> {
  const { client, io } = context;
  const { revision, instances, invalid } = await registry.list(service);
  const times = await readLeaseTimes(
    client,
    instances.map(({ lease }) => lease),
  );
  for (const key of invalid) io.err(`${JSON.stringify(key)} holds no instance\n`);
  printListing(context, listing(instances, { times, revision, nowMs: client.ports.clock.wallMs() }));
}

function listing(
  instances: readonly ListedInstance[],
  now: { readonly times: ReadonlyMap<bigint, LeaseTimes>; readonly revision: number; readonly nowMs: number },
): Listing {
  return {
    columns: ["Service", "ID", "Addresses", "Version", "Zone", "State", "Lease TTL", "Age"],
    rows: instances.map(({ instance, lease, registeredAtMs }) => [
      ...[instance.service, instance.id, addressesText(instance.addresses), instance.version, instance.zone],
      ...[instance.state, leaseText(lease, now.times), ageText(registeredAtMs, now.nowMs)],
    ]),
    json: {
      revision: now.revision,
      instances: instances.map(({ instance, key, lease, registeredAtMs, registeredRevision, revision }) => ({
        ...{ ...instance, key, ...leaseJson(lease, now.times) },
        ...{ registeredAtMs, registeredRevision, revision },
      })),
    },
  };
}

function addressesText(addresses: Readonly<Record<string, string>>): string {
  return Object.entries(addresses)
    .map(([protocol, address]) => `${protocol}=${address}`)
    .join(",");
}

/** Shows every instance as added, then every change, until interrupted. */
async function follow(context: CommandContext, registry: Registry, service: string | undefined): Promise<void> {
  const { io, flags } = context;
  if (flags.writeOut !== "simple" && flags.writeOut !== "json")
    throw new CommandError(exitCodes.badFeature, "services --watch writes simple or json");
  const interrupted = io.interruption();
  await using set = await registry.discover(service, { signal: interrupted, protection: false });
  const show = (change: InstanceChange): void => io.out(changeText(flags.writeOut, change));
  if (interrupted.aborted) return;
  // Nothing can change between showing what is there and listening, so nothing is missed or shown twice.
  for (const instance of set.instances({ draining: true })) show({ type: "added", instance });
  const ended = new Promise<Error | undefined>((resolve) => set.on("end", resolve));
  set.on("change", (changes) => changes.forEach(show));
  const error = await ended;
  if (error !== undefined && !interrupted.aborted) throw error;
}

function changeText(format: string, { type, instance }: InstanceChange): string {
  if (format === "json") return `${goJson({ type, instance: { ...instance } })}\n`;
  const { service, id, addresses, version, zone, state } = instance;
  const details = [addressesText(addresses), version, zone, state].filter((part) => part !== "");
  return `${type} ${service}/${id} ${details.join(" ")}\n`;
}
