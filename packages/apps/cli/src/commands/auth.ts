import { type Client, isConclaveError } from "@conclave/client";
import type { CommandGroup, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";

/** `auth enable`: turns authentication on. A user root without the role is given it. */
const authEnableCommand: CommandSpec = {
  names: ["enable"],
  usage: "",
  description: "turn authentication on",
  async run({ client, io }, { operands }) {
    if (operands.length > 0) throw wrong("auth enable command does not accept any arguments");
    try {
      await client.raw.auth.authEnable();
    } catch (error) {
      if (!isConclaveError(error, "ROOT_ROLE_NOT_FOUND")) throw error;
      await giveRootItsRole(client);
      await client.raw.auth.authEnable();
    }
    io.out("Authentication Enabled\n");
  },
};

async function giveRootItsRole({ raw: { auth } }: Client): Promise<void> {
  await auth.roleAdd({ name: "root" }).catch((error: unknown) => {
    if (!isConclaveError(error, "ROLE_EXISTS")) throw error;
  });
  await auth.userGrantRole({ user: "root", role: "root" });
}

/** `auth disable`: turns authentication off. */
const authDisableCommand: CommandSpec = {
  names: ["disable"],
  usage: "",
  description: "turn authentication off",
  async run({ client, io }, { operands }) {
    if (operands.length > 0) throw wrong("auth disable command does not accept any arguments");
    await client.raw.auth.authDisable();
    io.out("Authentication Disabled\n");
  },
};

/** `auth status`: shows whether authentication is on. */
const authStatusCommand: CommandSpec = {
  names: ["status"],
  usage: "",
  description: "show whether authentication is on",
  async run({ client, print }, { operands }) {
    if (operands.length > 0) throw wrong("auth status command does not accept any arguments");
    print("authStatus", await client.raw.auth.authStatus());
  },
};

function wrong(message: string): CommandError {
  return new CommandError(exitCodes.badArguments, message);
}

/** `auth`: commands about authentication. */
export const authGroup: CommandGroup = {
  name: "auth",
  description: "turn authentication on and off",
  commands: [authDisableCommand, authEnableCommand, authStatusCommand],
};
