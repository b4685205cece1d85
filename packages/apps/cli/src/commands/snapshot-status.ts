import { databaseHash, SnapshotError } from "@conclave/snapshot";
import { nodeFileSystem } from "@conclave/wal";
import type { LocalCommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";

/** `snapshot status`: what a file holds: its hash, revision, number of entries and size. */
export const snapshotStatusCommand: LocalCommandSpec = {
  names: ["status"],
  usage: "<filename>",
  description: "show what a snapshot file holds",
  async runLocally({ print }, { operands: [path, ...rest] }) {
    if (path === undefined || rest.length > 0)
      throw new CommandError(exitCodes.badArguments, "snapshot status requires exactly one argument");
    const fileSystem = nodeFileSystem();
    if (!(await fileSystem.exists(path)))
      throw new CommandError(exitCodes.failure, `stat ${path}: no such file or directory`);
    const file = await fileSystem.open(path, { mode: "read" });
    try {
      print("snapshotStatus", await databaseHash(file));
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
      throw new CommandError(exitCodes.failure, `invalid database: ${error.message}`, { cause: error });
    } finally {
      await file.close();
    }
  },
};
