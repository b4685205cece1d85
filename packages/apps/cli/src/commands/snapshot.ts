import type { CommandGroup } from "../command.ts";
import { snapshotRestoreCommand } from "./snapshot-restore.ts";
import { snapshotSaveCommand } from "./snapshot-save.ts";
import { snapshotStatusCommand } from "./snapshot-status.ts";

/** `snapshot`: commands about copies of a whole store. */
export const snapshotGroup: CommandGroup = {
  name: "snapshot",
  description: "save the store of a server, look at such a file, and make a data directory of it",
  commands: [snapshotRestoreCommand, snapshotSaveCommand, snapshotStatusCommand],
};
