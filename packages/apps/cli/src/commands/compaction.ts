import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag } from "../flags.ts";
import { parseInt64 } from "../go/integers.ts";

/** `compaction`: drops the history before a revision. */
export const compactionCommand: CommandSpec<{ readonly physical: boolean }> = {
  names: ["compaction", "compact"],
  usage: "<revision>",
  description: "drop the history before a revision",
  flags: [booleanFlag("--physical", "wait until the old revisions are gone from the store")],
  async run({ client, io }, { operands: [text, ...rest], options: { physical } }) {
    if (text === undefined || rest.length > 0)
      throw new CommandError(exitCodes.badArguments, "compaction command needs 1 argument");
    const revision = parseInt64(text, 10);
    await client.raw.kv.compact({ revision, physical });
    io.out(`compacted revision ${revision}\n`);
  },
};
