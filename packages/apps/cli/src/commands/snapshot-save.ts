import { dirname, resolve } from "node:path";
import { checkSnapshotChecksum } from "@conclave/snapshot";
import { type File, type FileSystem, nodeFileSystem } from "@conclave/wal";
import type { CommandContext, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { formatBytesSize } from "../go/bytes-size.ts";

/** How often a long download says how far it is. */
const progressIntervalMs = 5_000;

/** `snapshot save`: a copy of a server's store. What bears the name of the file is complete, durable and checked. */
export const snapshotSaveCommand: CommandSpec = {
  names: ["save"],
  usage: "<filename>",
  description: "store a snapshot of a server in a file",
  async run(context, { operands: [path, ...rest] }) {
    if (path === undefined || rest.length > 0)
      throw new CommandError(exitCodes.badArguments, "snapshot save expects one argument");
    const { endpoints } = context.flags;
    const [endpoint = ""] = endpoints;
    if (endpoints.length > 1) {
      const list = endpoints.join(" ");
      throw new CommandError(
        exitCodes.interrupted,
        `snapshot must be requested to one selected node, not multiple [${list}]`,
      );
    }
    await save(context, { endpoint, path: resolve(path) });
    context.io.out(`Snapshot saved at ${path}\n`);
  },
};

interface Target {
  readonly endpoint: string;
  readonly path: string;
}

async function save(context: CommandContext, { endpoint, path }: Target): Promise<void> {
  const fileSystem = nodeFileSystem();
  const partial = `${path}.part`;
  try {
    const file = await fileSystem.open(partial, { mode: "create" });
    try {
      await download(context, endpoint, file);
      if ((await checkSnapshotChecksum(file)) !== "valid")
        throw new CommandError(exitCodes.failure, `the snapshot of ${endpoint} does not match its SHA-256`);
      await file.sync();
    } finally {
      await file.close();
    }
    await fileSystem.rename(partial, path);
    await fileSystem.syncDirectory(dirname(path));
  } catch (error) {
    await removeQuietly(fileSystem, partial);
    throw error;
  }
}

async function download({ client, addressOf, io }: CommandContext, endpoint: string, file: File): Promise<void> {
  let position = 0;
  let toldMs = performance.now();
  for await (const { blob, remainingBytes } of client.maintenance.snapshot({ endpoint: addressOf(endpoint) })) {
    await file.write(position, blob);
    position += blob.length;
    if (performance.now() - toldMs < progressIntervalMs) continue;
    toldMs = performance.now();
    io.err(`fetched ${formatBytesSize(position)} of ${formatBytesSize(position + remainingBytes)}\n`);
  }
}

async function removeQuietly(fileSystem: FileSystem, path: string): Promise<void> {
  // It may never have been there; why the download failed matters more than that it could not be cleared away.
  await fileSystem.remove(path).catch(() => {});
}
