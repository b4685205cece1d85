import { DowngradeRequest_DowngradeAction as Action } from "@conclave/protocol/etcdserverpb";
import type { CommandContext, CommandGroup, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";

/** `downgrade validate`: says whether the cluster can go back to a version. */
const downgradeValidateCommand: CommandSpec = {
  names: ["validate"],
  usage: "<version>",
  description: "say whether the cluster can go back to a version",
  run: (context, { operands }) => ask(context, "validate", { action: Action.VALIDATE, version: target(operands) }),
};

/** `downgrade enable`: has the cluster go back. */
const downgradeEnableCommand: CommandSpec = {
  names: ["enable"],
  usage: "<version>",
  description: "have the cluster go back to a version",
  run: (context, { operands }) => ask(context, "enable", { action: Action.ENABLE, version: target(operands) }),
};

/** `downgrade cancel`: has the cluster stay. */
const downgradeCancelCommand: CommandSpec = {
  names: ["cancel"],
  usage: "",
  description: "have the cluster stay as it is",
  run: (context) => ask(context, "cancel", { action: Action.CANCEL, version: "" }),
};

async function ask(
  { client, print }: CommandContext,
  done: "validate" | "enable" | "cancel",
  request: { readonly action: Action; readonly version: string },
): Promise<void> {
  print("downgrade", { done, response: await client.raw.maintenance.downgrade(request) });
}

function target([version, ...rest]: readonly string[]): string {
  if (version === undefined) throw new CommandError(exitCodes.badArguments, "TARGET_VERSION not provided");
  if (rest.length > 0) throw new CommandError(exitCodes.badArguments, "too many arguments");
  if (version === "") throw new CommandError(exitCodes.badArguments, "target version not provided");
  return version;
}

/** `downgrade`: commands about going back to an earlier version. */
export const downgradeGroup: CommandGroup = {
  name: "downgrade",
  description: "go back to an earlier version",
  commands: [downgradeCancelCommand, downgradeEnableCommand, downgradeValidateCommand],
};
