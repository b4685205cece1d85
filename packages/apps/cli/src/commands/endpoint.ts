import type { CommandGroup } from "../command.ts";
import { booleanFlag } from "../flags.ts";
import { endpointHashKvCommand } from "./endpoint-hashkv.ts";
import { endpointHealthCommand } from "./endpoint-health.ts";
import { endpointStatusCommand } from "./endpoint-status.ts";

/** `endpoint`: commands about single servers. */
export const endpointGroup: CommandGroup = {
  name: "endpoint",
  description: "look at each server",
  flags: [booleanFlag("--cluster", "ask all members of the cluster instead of the servers named by --endpoints")],
  commands: [endpointHashKvCommand, endpointHealthCommand, endpointStatusCommand],
};
