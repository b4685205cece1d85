import { hostname } from "node:os";
import { ClusterDefinition, type Member } from "@conclave/protocol/etcdserverpb";
import type { ServiceHandlers } from "@conclave/rpc";
import { forwardService } from "./forward.ts";
import { proxyAsMember, type Registration } from "./registration.ts";
import type { Upstream } from "./upstream.ts";

/** What the Cluster service is made of. */
export interface ClusterProxyOptions {
  /** The members. */
  readonly upstream: Upstream;
  /** Where the proxy is reached; empty if it should not stand for the cluster. */
  readonly advertiseClientUrl: string;
  /** The proxies that know each other, if this one is among them. */
  readonly registration: Registration | undefined;
}

/**
 * The Cluster service. The list of members is that of the proxies, so that clients that follow it stay behind them;
 * changes go to the real members.
 */
export function clusterHandlers({
  upstream,
  advertiseClientUrl,
  registration,
}: ClusterProxyOptions): ServiceHandlers<typeof ClusterDefinition> {
  const forwarded = forwardService(upstream, ClusterDefinition);
  if (advertiseClientUrl === "") return forwarded;
  const alone: Member[] = [proxyAsMember(hostname(), advertiseClientUrl)];
  return {
    ...forwarded,
    memberList: async () => {
      const members = (await registration?.members()) ?? [];
      return { header: undefined, members: members.length > 0 ? members : alone };
    },
  };
}
