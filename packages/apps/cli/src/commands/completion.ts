import type { LocalCommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { completionPlaces, completionScript, type Shell } from "./completion-scripts.ts";

const shells: readonly Shell[] = ["bash", "zsh", "fish", "powershell"];

/** `completion`: a script that lets a shell complete command lines. */
export const completionCommand: LocalCommandSpec = {
  names: ["completion"],
  usage: `<${shells.join("|")}>`,
  description: "show a script that lets a shell complete command lines",
  runLocally({ io, program }, { operands: [name, ...more] }) {
    const shell = shells.find((each) => each === name);
    if (shell === undefined || more.length > 0)
      throw new CommandError(exitCodes.badArguments, `completion takes one argument: ${shells.join(", ")}`);
    io.out(completionScript(shell, completionPlaces(program)));
  },
};
