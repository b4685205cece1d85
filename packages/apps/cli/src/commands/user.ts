import type { CommandGroup, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag } from "../flags.ts";
import { userAddCommand } from "./user-add.ts";
import { userPasswdCommand } from "./user-passwd.ts";

/** `user delete`: deletes a user. */
const userDeleteCommand: CommandSpec = {
  names: ["delete"],
  usage: "<user name>",
  description: "delete a user",
  async run({ client, print }, { operands: [name, ...rest] }) {
    if (name === undefined || rest.length > 0) throw wrong("user delete command requires user name as its argument");
    const response = await client.raw.auth.userDelete({ name });
    print("authChange", { response, text: `User ${name} deleted` });
  },
};

/** `user get`: shows a user. */
const userGetCommand: CommandSpec<{ readonly detail: boolean }> = {
  names: ["get"],
  usage: "<user name>",
  description: "show the roles of a user",
  flags: [booleanFlag("--detail", "show the permissions of the roles as well")],
  async run({ client, io, print }, { operands: [name, ...rest], options }) {
    if (name === undefined || rest.length > 0) throw wrong("user get command requires user name as its argument");
    const response = await client.raw.auth.userGet({ name });
    if (!options.detail) {
      print("userGet", { name, response });
      return;
    }
    io.out(`User: ${name}\n`);
    for (const role of response.roles) {
      io.out("\n");
      print("roleGet", { role, response: await client.raw.auth.roleGet({ role }) });
    }
  },
};

/** `user list`: shows all users. */
const userListCommand: CommandSpec = {
  names: ["list"],
  usage: "",
  description: "list the users",
  async run({ client, print }, { operands }) {
    if (operands.length > 0) throw wrong("user list command requires no arguments");
    print("userList", await client.raw.auth.userList());
  },
};

/** `user grant-role`: grants a role to a user. */
const userGrantRoleCommand: CommandSpec = {
  names: ["grant-role"],
  usage: "<user name> <role name>",
  description: "grant a role to a user",
  async run({ client, print }, { operands: [user, role, ...rest] }) {
    if (user === undefined || role === undefined || rest.length > 0)
      throw wrong("user grant command requires user name and role name as its argument");
    const response = await client.raw.auth.userGrantRole({ user, role });
    print("authChange", { response, text: `Role ${role} is granted to user ${user}` });
  },
};

/** `user revoke-role`: takes a role from a user. */
const userRevokeRoleCommand: CommandSpec = {
  names: ["revoke-role"],
  usage: "<user name> <role name>",
  description: "take a role from a user",
  async run({ client, print }, { operands: [name, role, ...rest] }) {
    if (name === undefined || role === undefined || rest.length > 0)
      throw wrong("user revoke-role requires user name and role name as its argument");
    const response = await client.raw.auth.userRevokeRole({ name, role });
    print("authChange", { response, text: `Role ${role} is revoked from user ${name}` });
  },
};

function wrong(message: string): CommandError {
  return new CommandError(exitCodes.badArguments, message);
}

/** `user`: commands about users. */
export const userGroup: CommandGroup = {
  name: "user",
  description: "look at users and change them",
  commands: [
    userAddCommand,
    userDeleteCommand,
    userGetCommand,
    userGrantRoleCommand,
    userListCommand,
    userPasswdCommand,
    userRevokeRoleCommand,
  ],
};
