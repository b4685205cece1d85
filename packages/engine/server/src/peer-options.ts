import type { PeerNetworkOptions } from "@conclave/peer";
import type { MemberConfig } from "./config.ts";
import type { Log } from "./log.ts";

/** Members say every 5/3 s that they are there: a shorter silence means nothing. */
const readTimeoutMsMin = 5000;
/** The first version of Node that can share a port. */
const reusePortSince = [22, 12] as const;

function canReusePort(nodeVersion: string): boolean {
  const [major = 0, minor = 0] = nodeVersion.split(".").map(Number);
  return major > reusePortSince[0] || (major === reusePortSince[0] && minor >= reusePortSince[1]);
}

/**
 * What the configuration says of the connections between members.
 *
 * @param log - is told of what cannot be had as it was asked for
 */
export function peerOptions(
  config: Pick<MemberConfig, "raftReadTimeout" | "raftWriteTimeout" | "socketReusePort">,
  log: Log,
  nodeVersion: string = process.versions.node,
): Pick<PeerNetworkOptions, "limits" | "reusePort"> {
  const streamIdleMs = Math.max(config.raftReadTimeout, readTimeoutMsMin);
  if (streamIdleMs > config.raftReadTimeout)
    log.warn(`--raft-read-timeout is raised to ${streamIdleMs}ms: members may be silent for a while`);
  if (config.socketReusePort && !canReusePort(nodeVersion))
    log.warn(`--socket-reuse-port is without effect: Node ${nodeVersion} cannot share ports, 22.12 and later can`);
  return {
    limits: { streamIdleMs, streamBlockedMs: config.raftWriteTimeout },
    reusePort: config.socketReusePort,
  };
}
