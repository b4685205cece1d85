import type { CommandGroup } from "../command.ts";
import { memberAddCommand } from "./member-add.ts";
import { memberListCommand } from "./member-list.ts";
import { memberPromoteCommand } from "./member-promote.ts";
import { memberRemoveCommand } from "./member-remove.ts";
import { memberUpdateCommand } from "./member-update.ts";

/** `member`: commands about members. */
export const memberGroup: CommandGroup = {
  name: "member",
  description: "look at the members of the cluster and change them",
  commands: [memberAddCommand, memberListCommand, memberPromoteCommand, memberRemoveCommand, memberUpdateCommand],
};
