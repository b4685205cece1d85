import type { MemberListRequest, MemberListResponse, Member as MemberMessage } from "@conclave/protocol/etcdserverpb";
import { unimplemented } from "@conclave/rpc";
import type { Member } from "../member.ts";
import type { ClusterMember } from "../membership.ts";

function toMessage(member: ClusterMember): MemberMessage {
  return {
    ID: member.id,
    name: member.name,
    peerURLs: [...member.peerUrls],
    clientURLs: [...member.clientUrls],
    isLearner: member.isLearner,
  };
}

/** The Cluster service: who the members are. A cluster of one cannot change its members. */
export class ClusterService {
  readonly memberAdd: typeof unimplemented = unimplemented;
  readonly memberRemove: typeof unimplemented = unimplemented;
  readonly memberUpdate: typeof unimplemented = unimplemented;
  readonly memberPromote: typeof unimplemented = unimplemented;
  readonly #member: Member;

  constructor(member: Member) {
    this.#member = member;
  }

  async memberList(request: MemberListRequest): Promise<MemberListResponse> {
    if (request.linearizable) await this.#member.linearizable();
    // The answers of this service say nothing of the store's revision.
    const header = { ...this.#member.header(), revision: 0 };
    return { header, members: this.#member.membership.members().map(toMessage) };
  }
}
