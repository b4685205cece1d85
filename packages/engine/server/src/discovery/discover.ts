/** @module Who founds a cluster when `--initial-cluster` does not say it: DNS or another cluster is asked. */
import { lookup, resolveSrv } from "node:dns/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { MemberConfig } from "../config.ts";
import { computeMemberId } from "../consensus/ids.ts";
import type { Log } from "../log.ts";
import { MemberError } from "../member-error.ts";
import { openGrpcRegistryStore } from "./grpc-registry-store.ts";
import { clusterFromRegistry, type RegistryStore } from "./registry.ts";
import { clusterFromSrv, type DomainNames } from "./srv.ts";

/** What finding the cluster takes beside the configuration. */
export interface DiscoverOptions {
  /** Told what was found, and what did not answer. */
  readonly log: Log;
  /** Gives up, for the others may come as late as they like. Default: never. */
  readonly signal?: AbortSignal | undefined;
  /** What is asked of the domain name system. Default: the system's. */
  readonly names?: DomainNames | undefined;
}

/** What is found out. */
export type DiscoveredCluster = Pick<MemberConfig, "initialCluster" | "initialClusterToken">;

const pollMs = 500;
const retryMsMin = 500;
const retryMsMax = 30_000;

const systemNames: DomainNames = {
  resolveSrv,
  resolveHost: async (host) => (await lookup(host, { order: "ipv4first" })).address,
};

/**
 * Finds out who founds the cluster of a member that has no data yet.
 *
 * @returns what the configuration says if it asks for no discovery
 * @throws MemberError `CONFIG` or `JOIN` if there is no such cluster, or it is full
 */
export async function discoverCluster(config: MemberConfig, options: DiscoverOptions): Promise<DiscoveredCluster> {
  const { log } = options;
  if (config.discoverySrv !== "") {
    const initialCluster = await bySrv(config, options.names ?? systemNames);
    log.info("found the cluster by DNS", { domain: config.discoverySrv, "initial-cluster": initialCluster });
    return { initialCluster, initialClusterToken: config.initialClusterToken };
  }
  if (config.discoveryEndpoints.length > 0) {
    const initialCluster = await byRegistry(config, options);
    log.info("found the cluster by discovery", { "initial-cluster": initialCluster });
    return { initialCluster, initialClusterToken: config.discoveryToken };
  }
  return config;
}

function bySrv(config: MemberConfig, names: DomainNames): Promise<string> {
  const { discoverySrv: domain, discoverySrvName: suffix, name, initialAdvertisePeerUrls: peerUrls } = config;
  return clusterFromSrv({ domain, suffix, name, peerUrls }, names);
}

async function byRegistry(config: MemberConfig, { log, signal }: DiscoverOptions): Promise<string> {
  const store = openGrpcRegistryStore(config);
  const { name, initialAdvertisePeerUrls: peerUrls, discoveryToken: token } = config;
  try {
    return await clusterFromRegistry(patient(store, log, signal), {
      token,
      memberId: computeMemberId(peerUrls, token),
      member: peerUrls.map((url) => `${name}=${url}`).join(),
      pause: () => sleep(pollMs, undefined, { signal }),
    });
  } finally {
    store.close();
  }
}

/**
 * Asks again, less and less often, while the registry does not answer: as in etcd, a member may start before its
 * discovery service does. Both calls may be made twice.
 */
function patient(store: RegistryStore, log: Log, signal: AbortSignal | undefined): RegistryStore {
  const retried = async <R>(call: () => Promise<R>): Promise<R> => {
    for (let waitMs = retryMsMin; ; waitMs = Math.min(waitMs * 2, retryMsMax)) {
      try {
        return await call();
      } catch (error) {
        if (error instanceof MemberError) throw error;
        const reason = error instanceof Error ? error.message : String(error);
        log.warn("the discovery service does not answer; asking again", { error: reason, "wait-ms": waitMs });
      }
      await sleep(waitMs, undefined, { signal });
    }
  };
  return {
    list: (prefix) => retried(() => store.list(prefix)),
    put: (key, value) => retried(() => store.put(key, value)),
  };
}
