/**
 * @module Taking the version of a cluster back by one minor version, so that members of that version can come in for
 * those there are: asked for here, begun and ended by the log, and carried out by the monitor of the cluster's version.
 */
import { GrpcStatus, WireError } from "@conclave/protocol";
import {
  DowngradeRequest_DowngradeAction as DowngradeAction,
  type DowngradeRequest,
  type DowngradeResponse,
} from "@conclave/protocol/etcdserverpb";
import { RpcError } from "@conclave/rpc";
import type { Member } from "../member.ts";
import { apiLevel, compareApiLevels, previousApiLevel } from "./api-version.ts";

/** The part of a member that is asked. */
export type DowngradingMember = Pick<Member, "header" | "linearizable" | "membership" | "propose">;

/** The oldest version that understands all that the log of a member may hold. */
const oldestTarget = "3.5.0";

/**
 * Answers a request for a downgrade, as any member can.
 *
 * @throws WireError `WrongDowngradeVersionFormat`, `InvalidDowngradeTargetVersion`, `ClusterVersionUnavailable`,
 * `DowngradeInProcess`, `NoInflightDowngrade`
 * @throws RpcError for an action that does not exist
 */
export async function downgrade(
  member: DowngradingMember,
  { action, version }: DowngradeRequest,
): Promise<DowngradeResponse> {
  switch (action) {
    case DowngradeAction.VALIDATE:
      await validTarget(member, version);
      break;
    case DowngradeAction.ENABLE:
      await member.propose("downgradeInfoSet", { enabled: true, ver: await validTarget(member, version) });
      break;
    case DowngradeAction.CANCEL:
      await member.linearizable();
      if (member.membership.downgradeTarget === undefined) throw new WireError("NoInflightDowngrade");
      await member.propose("downgradeInfoSet", { enabled: false, ver: "" });
      break;
    default:
      throw new RpcError(GrpcStatus.Unknown, "etcdserver: unknown method");
  }
  return { header: member.header(), version: shortVersion(member.membership.clusterVersion ?? "") };
}

/** The version that a downgrade goes to, if it may be begun now. */
async function validTarget(member: DowngradingMember, version: string): Promise<string> {
  const target = apiLevel(version);
  if (target === undefined) throw new WireError("WrongDowngradeVersionFormat");
  await member.linearizable();
  const { clusterVersion, downgradeTarget } = member.membership;
  if (clusterVersion === undefined) throw new WireError("ClusterVersionUnavailable");
  if (target !== previousApiLevel(clusterVersion) || compareApiLevels(target, oldestTarget) < 0)
    throw new WireError("InvalidDowngradeTargetVersion");
  if (downgradeTarget !== undefined) throw new WireError("DowngradeInProcess");
  return target;
}

/** Major and minor version, as etcd 3.6 answers. */
function shortVersion(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}
