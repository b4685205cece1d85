/** @module The members of a cluster. */
import type { Member as WireMember } from "@conclave/protocol/etcdserverpb";
import * as z from "zod";
import type { CallOptions } from "../calls/call-scope.ts";
import type { RawServices } from "../calls/raw.ts";
import { headerOf, type ResponseHeader } from "../kv/key-value.ts";
import { validate } from "../validate.ts";

/** A member. */
export interface Member {
  /** Its id. */
  readonly id: bigint;
  /** Its name; empty until it has started. */
  readonly name: string;
  /** Where other members reach it. */
  readonly peerUrls: readonly string[];
  /** Where clients reach it; empty until it has started. */
  readonly clientUrls: readonly string[];
  /** Whether it has no vote yet. */
  readonly isLearner: boolean;
}

/** The members after a call. */
export interface MemberListResult {
  /** Where and when it was answered. */
  readonly header: ResponseHeader;
  /** Every member. */
  readonly members: readonly Member[];
}

/** The members after one was added. */
export interface MemberAddResult extends MemberListResult {
  /** The new one. */
  readonly member: Member | undefined;
}

/** The members of a cluster. */
export interface Cluster {
  /** Every member. `linearizable` (default true) asks the leader. */
  memberList(options?: CallOptions & { readonly linearizable?: boolean | undefined }): Promise<MemberListResult>;
  /**
   * Adds a member that will be reached under these URLs.
   *
   * @throws ConclaveError `INVALID_ARGUMENT` if one is no `http://host:port`, `https://host:port` or `unix://path`:
   * members of etcd that were told such a one would end
   */
  memberAdd(
    peerUrls: readonly string[],
    options?: CallOptions & { readonly isLearner?: boolean | undefined },
  ): Promise<MemberAddResult>;
  /** Removes a member. */
  memberRemove(id: bigint, options?: CallOptions): Promise<MemberListResult>;
  /** Changes where a member is reached; URLs as for {@link Cluster.memberAdd}. */
  memberUpdate(id: bigint, peerUrls: readonly string[], options?: CallOptions): Promise<MemberListResult>;
  /** Gives a learner its vote. */
  memberPromote(id: bigint, options?: CallOptions): Promise<MemberListResult>;
}

function toMember({ ID, name, peerURLs, clientURLs, isLearner }: WireMember): Member {
  return { id: ID, name, peerUrls: peerURLs, clientUrls: clientURLs, isLearner };
}

function toList(
  response: Parameters<typeof headerOf>[0] & { readonly members: readonly WireMember[] },
): MemberListResult {
  return { header: headerOf(response), members: response.members.map(toMember) };
}

const peerUrl = z
  .string()
  .regex(/^(https?:\/\/(\[[^\]]+\]|[^:/?#[\]]*):\d+|unixs?:\/\/.+)$/i, "expected a URL like http://host:port");
const peerUrlList = z.array(peerUrl).min(1);

function checked(peerUrls: readonly string[]): string[] {
  return [...validate(peerUrlList, peerUrls, "peer URLs")];
}

/** Makes the calls. */
export function createCluster({ cluster }: RawServices): Cluster {
  return {
    memberList: async ({ linearizable = true, ...options } = {}) =>
      toList(await cluster.memberList({ linearizable }, options)),
    async memberAdd(peerUrls, { isLearner = false, ...options } = {}) {
      const response = await cluster.memberAdd({ peerURLs: checked(peerUrls), isLearner }, options);
      return { ...toList(response), member: response.member === undefined ? undefined : toMember(response.member) };
    },
    memberRemove: async (id, options) => toList(await cluster.memberRemove({ ID: id }, options)),
    memberUpdate: async (id, peerUrls, options) =>
      toList(await cluster.memberUpdate({ ID: id, peerURLs: checked(peerUrls) }, options)),
    memberPromote: async (id, options) => toList(await cluster.memberPromote({ ID: id }, options)),
  };
}
