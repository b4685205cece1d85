import { bootstrap } from "./bootstrap/bootstrap.ts";
import { Member } from "./member.ts";
import type { MemberPorts, MemberSettings } from "./member-settings.ts";
import { SnapshotFiles } from "./snapshot/snapshot-files.ts";

/**
 * Opens the member in a data directory, or founds a cluster of one there.
 *
 * @throws MemberError or WalError, with one line that says what an operator can do
 */
export async function openMember(settings: MemberSettings, ports: MemberPorts): Promise<Member> {
  const snapshotFiles = new SnapshotFiles(ports.fileSystem, `${settings.memberDir}/snap`);
  const state = await bootstrap({
    memberDir: settings.memberDir,
    walDir: settings.walDir,
    ...(settings.walSegmentBytes !== undefined && { segmentBytes: settings.walSegmentBytes }),
    name: settings.name,
    peerUrls: settings.peerUrls,
    clusterToken: settings.clusterToken,
    initialCluster: settings.initialCluster ?? "",
    initialClusterState: settings.initialClusterState ?? "new",
    forceNewCluster: settings.forceNewCluster ?? false,
    electionTicks: Math.max(2, Math.round(settings.electionTimeoutMs / settings.heartbeatIntervalMs)),
    preVote: settings.preVote ?? true,
    ...(settings.maxMessageBytes !== undefined && { maxMessageBytes: settings.maxMessageBytes }),
    fileSystem: ports.fileSystem,
    random: ports.random,
    peers: ports.peers,
    resolver: { resolveHost: ports.resolveHost ?? (async (host) => host), scheduler: ports.scheduler },
    log: ports.log,
    openBackend: ports.openBackend,
    restoreSnapshot: async (backend, index) => {
      if (!(await snapshotFiles.has(index))) return false;
      await snapshotFiles.restore(index, backend);
      return true;
    },
    onRepair: (repair) => ports.log.warn("cut off the torn end of the write-ahead log", { ...repair }),
  });
  await snapshotFiles.prepare(state.applied);
  return new Member({ ...state, snapshotFiles }, settings, ports);
}
