import { utf8Text } from "@conclave/base";
import { Permission_Type as PermissionType } from "@conclave/protocol/authpb";
import type { CommandGroup, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { type PermissionRangeOptions, parsePermissionRange, permissionRangeFlags } from "./permission-range.ts";

/** `role add`: adds a role. */
const roleAddCommand: CommandSpec = {
  names: ["add"],
  usage: "<role name>",
  description: "add a role",
  async run({ client, print }, { operands: [name, ...rest] }) {
    if (name === undefined || rest.length > 0) throw wrong("role add command requires role name as its argument");
    print("authChange", { response: await client.raw.auth.roleAdd({ name }), text: `Role ${name} created` });
  },
};

/** `role delete`: deletes a role. */
const roleDeleteCommand: CommandSpec = {
  names: ["delete"],
  usage: "<role name>",
  description: "delete a role",
  async run({ client, print }, { operands: [role, ...rest] }) {
    if (role === undefined || rest.length > 0) throw wrong("role delete command requires role name as its argument");
    print("authChange", { response: await client.raw.auth.roleDelete({ role }), text: `Role ${role} deleted` });
  },
};

/** `role get`: shows a role. */
const roleGetCommand: CommandSpec = {
  names: ["get"],
  usage: "<role name>",
  description: "show the permissions of a role",
  async run({ client, print }, { operands: [role, ...rest] }) {
    if (role === undefined || rest.length > 0) throw wrong("role get command requires role name as its argument");
    print("roleGet", { role, response: await client.raw.auth.roleGet({ role }) });
  },
};

/** `role list`: shows all roles. */
const roleListCommand: CommandSpec = {
  names: ["list"],
  usage: "",
  description: "list the roles",
  async run({ client, print }, { operands }) {
    if (operands.length > 0) throw wrong("role list command requires no arguments");
    print("roleList", await client.raw.auth.roleList());
  },
};

/** `role grant-permission`: allows a role something. */
const roleGrantPermissionCommand: CommandSpec<PermissionRangeOptions> = {
  names: ["grant-permission"],
  usage: "<role name> <permission type> <key> [endkey]",
  description: "let a role read, write or readwrite keys",
  flags: permissionRangeFlags,
  async run({ client, print }, { operands: [name, type, ...range], options }) {
    if (name === undefined || type === undefined || range.length === 0)
      throw wrong(
        "role grant-permission command requires role name, permission type, and key [endkey] as its argument",
      );
    const permType = PermissionType[type.toUpperCase() as keyof typeof PermissionType] as PermissionType | undefined;
    if (permType === undefined) throw wrong(`invalid permission type: ${type}`);
    const perm = { permType, ...parsePermissionRange(range, options) };
    const response = await client.raw.auth.roleGrantPermission({ name, perm });
    print("authChange", { response, text: `Role ${name} updated` });
  },
};

/** `role revoke-permission`: takes a permission from a role. */
const roleRevokePermissionCommand: CommandSpec<PermissionRangeOptions> = {
  names: ["revoke-permission"],
  usage: "<role name> <key> [endkey]",
  description: "take a permission from a role",
  flags: permissionRangeFlags,
  async run({ client, print }, { operands: [role, ...operands], options }) {
    if (role === undefined || operands.length === 0)
      throw wrong("role revoke-permission command requires role name and key [endkey] as its argument");
    const range = parsePermissionRange(operands, options);
    const response = await client.raw.auth.roleRevokePermission({ role, ...range });
    print("authChange", { response, text: `Permission of ${describe(range)} is revoked from role ${role}` });
  },
};

function describe({ key, rangeEnd }: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array }): string {
  const [start, end] = [utf8Text(key), utf8Text(rangeEnd)];
  if (end === "") return `key ${start}`;
  return end === "\0" ? `range [${start}, <open ended>` : `range [${start}, ${end})`;
}

function wrong(message: string): CommandError {
  return new CommandError(exitCodes.badArguments, message);
}

/** `role`: commands about roles. */
export const roleGroup: CommandGroup = {
  name: "role",
  description: "look at roles and change them",
  commands: [
    roleAddCommand,
    roleDeleteCommand,
    roleGetCommand,
    roleGrantPermissionCommand,
    roleListCommand,
    roleRevokePermissionCommand,
  ],
};
