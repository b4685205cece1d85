import type { CommandGroup } from "../command.ts";
import { leaseGrantCommand } from "./lease-grant.ts";
import { leaseKeepAliveCommand } from "./lease-keep-alive.ts";
import { leaseListCommand } from "./lease-list.ts";
import { leaseRevokeCommand } from "./lease-revoke.ts";
import { leaseTimeToLiveCommand } from "./lease-time-to-live.ts";

/** `lease`: commands about leases. */
export const leaseGroup: CommandGroup = {
  name: "lease",
  description: "make, renew, look at and end leases",
  commands: [leaseGrantCommand, leaseKeepAliveCommand, leaseListCommand, leaseRevokeCommand, leaseTimeToLiveCommand],
};
