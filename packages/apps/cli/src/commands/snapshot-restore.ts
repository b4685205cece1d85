import type { LocalCommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag, textFlag, valueFlag } from "../flags.ts";
import { parseInt64 } from "../go/integers.ts";

interface RestoreFlags {
  readonly dataDir: string;
  readonly walDir: string;
  readonly name: string;
  readonly initialCluster: string;
  readonly initialClusterToken: string;
  readonly initialAdvertisePeerUrls: string;
  readonly skipHashCheck: boolean;
  readonly bumpRevision: number;
  readonly markCompacted: boolean;
}

/** `snapshot restore`: makes the data directory of a member of a new cluster from a snapshot. */
export const snapshotRestoreCommand: LocalCommandSpec<RestoreFlags> = {
  names: ["restore"],
  usage: "<filename>",
  description: "make the data directory of a new cluster's member from a snapshot",
  flags: [
    textFlag("--data-dir <dir>", "the directory to make; default: <name>.etcd"),
    textFlag("--wal-dir <dir>", "where its log goes; default: in the data directory"),
    textFlag("--name <name>", "name of the member", "default"),
    textFlag("--initial-cluster <list>", "members of the new cluster", "default=http://localhost:2380"),
    textFlag("--initial-cluster-token <token>", "tells the new cluster apart", "etcd-cluster"),
    textFlag("--initial-advertise-peer-urls <list>", "peer URLs of this member", "http://localhost:2380"),
    booleanFlag("--skip-hash-check", "take a file without a checksum, such as one copied from a data directory"),
    valueFlag("--bump-revision <count>", "by how much to raise the revision", parseCount).default(0, "0"),
    booleanFlag("--mark-compacted", "compact up to that revision (required with --bump-revision, else refused)"),
    valueFlag("--initial-memory-map-size <bytes>", "accepted for etcdutl's sake, no effect", parseCount).default(
      0,
      "0",
    ),
  ],
  async runLocally({ io }, { operands: [path, ...rest], options }) {
    if (path === undefined || rest.length > 0)
      throw new CommandError(exitCodes.badArguments, "snapshot restore requires exactly one argument");
    if (options.bumpRevision > 0 !== options.markCompacted)
      throw new CommandError(exitCodes.badArguments, "--mark-compacted required if --revision-bump > 0");
    const dataDir = options.dataDir === "" ? `${options.name}.etcd` : options.dataDir;
    // A whole server, which no other command has to wait for.
    const { restoreDataDir } = await import("@conclave/server");
    const { memberId, clusterId, revision } = await restoreDataDir({
      ...options,
      dataDir,
      snapshotPath: path,
      initialAdvertisePeerUrls: options.initialAdvertisePeerUrls.split(","),
    });
    io.err(`restored ${path} in ${dataDir}: member ${memberId} of cluster ${clusterId}, revision ${revision}\n`);
  },
};

function parseCount(text: string): number {
  const count = Number(parseInt64(text, 0));
  if (count >= 0 && Number.isSafeInteger(count)) return count;
  throw new RangeError(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
}
