import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag, textFlag } from "../flags.ts";
import type { Io } from "../io.ts";
import { readNewPassword } from "./new-password.ts";

/** The options of `user add`. */
export interface UserAddOptions {
  /** Ask for the password; else it is the first line of standard input. */
  readonly interactive: boolean;
  /** The password; empty: it is read. */
  readonly newUserPassword: string;
  /** Whether the user comes by certificate only. */
  readonly noPassword: boolean;
}

/** `user add`: adds a user. */
export const userAddCommand: CommandSpec<UserAddOptions> = {
  names: ["add"],
  usage: "<user name or user:password>",
  description: "add a user",
  flags: [
    booleanFlag("--interactive", "ask for the password", true),
    textFlag("--new-user-password <password>", "the password"),
    booleanFlag("--no-password", "the user comes by certificate only"),
  ],
  async run({ client, io, print }, { operands: [operand, ...rest], options }) {
    if (operand === undefined || rest.length > 0)
      throw new CommandError(exitCodes.badArguments, "user add command requires user name as its argument");
    const { name, password } = await readUser(operand, options, io);
    const response = await client.raw.auth.userAdd({ name, password, options: { noPassword: options.noPassword } });
    print("authChange", { response, text: `User ${name} created` });
  },
};

async function readUser(
  operand: string,
  { interactive, newUserPassword, noPassword }: UserAddOptions,
  io: Io,
): Promise<{ readonly name: string; readonly password: string }> {
  if (noPassword) return { name: operand, password: "" };
  if (newUserPassword !== "") return { name: operand, password: newUserPassword };
  const at = operand.indexOf(":");
  if (at < 0) return { name: operand, password: await readNewPassword(io, operand, { ask: interactive }) };
  if (at === 0) throw new CommandError(exitCodes.badArguments, "empty user name is not allowed");
  return { name: operand.slice(0, at), password: operand.slice(at + 1) };
}
