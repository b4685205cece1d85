import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag } from "../flags.ts";
import { readNewPassword } from "./new-password.ts";

/** `user passwd`: sets the password of a user. */
export const userPasswdCommand: CommandSpec<{ readonly interactive: boolean }> = {
  names: ["passwd"],
  usage: "<user name>",
  description: "set the password of a user",
  flags: [booleanFlag("--interactive", "ask for the password", true)],
  async run({ client, io, print }, { operands: [name, ...rest], options }) {
    if (name === undefined || rest.length > 0)
      throw new CommandError(exitCodes.badArguments, "user passwd command requires user name as its argument");
    const password = await readNewPassword(io, name, { ask: options.interactive });
    const response = await client.raw.auth.userChangePassword({ name, password });
    print("authChange", { response, text: "Password updated" });
  },
};
