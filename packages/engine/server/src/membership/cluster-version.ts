/**
 * @module The version that the members of a cluster agree on: what the oldest of them speaks. The leader asks all of
 * them now and then, and has the log say it. It is lowered only by a downgrade, as what was written since may need it.
 */
import type { PeerCalls, PeerVersion } from "@conclave/peer";
import type { Log } from "../log.ts";
import type { Member } from "../member.ts";
import { etcdApiVersion } from "../version.ts";
import { apiLevel, compareApiLevels, minClusterVersion, olderVersion } from "./api-version.ts";
import type { ClusterMember } from "./membership.ts";

/** What the monitor looks at and tells. */
export interface ClusterVersionPorts {
  /** Whether this member leads and has applied all that was committed before its term. */
  readonly isLeader: () => boolean;
  /** The other members. */
  readonly others: () => readonly ClusterMember[];
  /** What this member tells of itself. */
  readonly ownVersion: string;
  /** What was agreed on; undefined before anything was. */
  readonly agreed: () => string | undefined;
  /** The version that the cluster is to go back to; undefined while no downgrade is under way. */
  readonly downgradeTarget: () => string | undefined;
  /** Has the log say that the downgrade is over. */
  readonly endDowngrade: () => Promise<unknown>;
  /** The way to the other members. */
  readonly peers: Pick<PeerCalls, "version">;
  /** Has the log say the version of the cluster. */
  readonly propose: (version: string) => Promise<unknown>;
  readonly log: Log;
}

/** How often the leader asks, as etcd does. */
export const clusterVersionIntervalMs = 4000;
/** Longest time a member may take to answer. */
const askTimeoutMs = 3000;

/** Keeps the version of a cluster at what its oldest member speaks. */
export class ClusterVersionMonitor {
  readonly #ports: ClusterVersionPorts;
  #checking = false;

  constructor(ports: ClusterVersionPorts) {
    this.#ports = ports;
  }

  /**
   * Looks once, if this member leads; does nothing while an earlier look goes on. To be called every
   * {@link clusterVersionIntervalMs} and when this member has become leader. Never rejects: the next look is another
   * attempt.
   */
  async check(): Promise<void> {
    if (this.#checking || !this.#ports.isLeader()) return;
    this.#checking = true;
    try {
      const target = this.#ports.downgradeTarget();
      if (target === undefined) await this.#settle();
      else await this.#goBack(target);
    } catch (error) {
      this.#ports.log.warn("the version of the cluster was not set", { error: String(error) });
    } finally {
      this.#checking = false;
    }
  }

  async #settle(): Promise<void> {
    const version = this.#next(await this.#oldest());
    if (version !== undefined && this.#ports.isLeader()) await this.#ports.propose(version);
  }

  /**
   * The cluster speaks the earlier version once a member does; once all do, the downgrade is over. Not before, as a
   * member of etcd 3.5 comes into a cluster that goes back only while that speaks the later version.
   */
  async #goBack(target: string): Promise<void> {
    const levels = await this.#levels();
    if (!this.#ports.isLeader() || !levels.includes(target)) return;
    if (compareApiLevels(this.#ports.agreed() ?? target, target) > 0) await this.#ports.propose(target);
    if (levels.every((level) => level === target)) await this.#ports.endDowngrade();
  }

  /** What the log is to say; undefined if it stays as it is. */
  #next(oldest: string | undefined): string | undefined {
    const agreed = this.#ports.agreed();
    // A cluster needs some version before its members can use it or join it.
    if (agreed === undefined) return oldest ?? minClusterVersion;
    return oldest !== undefined && compareApiLevels(oldest, agreed) > 0 ? oldest : undefined;
  }

  /** The oldest version that a member speaks; undefined if one did not say. */
  async #oldest(): Promise<string | undefined> {
    let oldest = this.#ports.ownVersion;
    for (const level of await this.#levels()) {
      if (level === undefined) return undefined;
      oldest = olderVersion(oldest, level);
    }
    return oldest;
  }

  /** What each member speaks, this one included; undefined of those that did not say. */
  async #levels(): Promise<readonly (string | undefined)[]> {
    const versions = await Promise.all(this.#ports.others().map((member) => this.#ask(member)));
    const others = versions.map((version) => (version === undefined ? undefined : apiLevel(version.server)));
    return [apiLevel(this.#ports.ownVersion), ...others];
  }

  async #ask({ peerUrls: urls }: ClusterMember): Promise<PeerVersion | undefined> {
    try {
      return await this.#ports.peers.version({ urls, timeoutMs: askTimeoutMs });
    } catch (error) {
      this.#ports.log.debug("a member did not tell its version", { urls, error: String(error) });
      return undefined;
    }
  }
}

/** The version that a member tells the others: no more than the cluster may agree on. */
export function ownVersion(settings: Pick<Member["settings"], "maxClusterVersion">): string {
  return olderVersion(settings.maxClusterVersion ?? etcdApiVersion, etcdApiVersion);
}

/** Creates the monitor of a member. */
export function createClusterVersionMonitor(
  member: Pick<Member, "id" | "isConfirmedLeader" | "membership" | "ports" | "propose" | "settings">,
): ClusterVersionMonitor {
  return new ClusterVersionMonitor({
    isLeader: () => member.isConfirmedLeader,
    others: () => member.membership.members().filter(({ id }) => id !== member.id),
    ownVersion: ownVersion(member.settings),
    agreed: () => member.membership.clusterVersion,
    downgradeTarget: () => member.membership.downgradeTarget,
    endDowngrade: () => member.propose("downgradeInfoSet", { enabled: false, ver: "" }),
    peers: member.ports.peers,
    propose: (ver) => member.propose("clusterVersionSet", { ver }),
    log: member.ports.log,
  });
}
