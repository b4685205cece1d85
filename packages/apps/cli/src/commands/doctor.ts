import type { CommandSpec } from "../command.ts";
import { type Diagnosis, diagnose } from "../doctor/diagnosis.ts";
import { observe } from "../doctor/observation.ts";
import { CommandError, exitCodes } from "../exit.ts";

/** `doctor`: looks at a cluster and says what is wrong and what to do. */
export const doctorCommand: CommandSpec = {
  names: ["doctor"],
  usage: "",
  description: "look at the whole cluster, and say what is wrong with it and what to do",
  async run(context, { operands }) {
    if (operands.length > 0) throw new CommandError(exitCodes.badArguments, "doctor takes no arguments");
    const { flags, io } = context;
    if (flags.writeOut !== "simple" && flags.writeOut !== "json")
      throw new CommandError(exitCodes.badFeature, "doctor writes simple or json");
    const diagnoses = diagnose(await observe(context));
    io.out(flags.writeOut === "json" ? `${JSON.stringify(diagnoses)}\n` : diagnoses.map(lineOf).join(""));
    if (diagnoses.some(({ severity }) => severity === "fail")) throw new CommandError(exitCodes.failure, "");
  },
};

function lineOf({ check, severity, finding, advice }: Diagnosis): string {
  const line = `${severity.toUpperCase().padEnd(4)} ${check.padEnd(12)} ${finding}\n`;
  return advice === "" ? line : `${line}${" ".repeat(18)}-> ${advice}\n`;
}
