import { emptyBytes, utf8 } from "@conclave/base";
import type { PeerMember } from "@conclave/peer";
import { GrpcStatus, WireError, type WireErrorName, wireErrors } from "@conclave/protocol";
import type {
  MemberAddRequest,
  MemberAddResponse,
  MemberListRequest,
  MemberListResponse,
  Member as MemberMessage,
  MemberPromoteRequest,
  MemberPromoteResponse,
  MemberRemoveRequest,
  MemberRemoveResponse,
  MemberUpdateRequest,
  MemberUpdateResponse,
  ResponseHeader,
} from "@conclave/protocol/etcdserverpb";
import { RpcError } from "@conclave/rpc";
import { urlFault } from "../config/urls.ts";
import { computeAddedMemberId } from "../consensus/ids.ts";
import type { Member } from "../member.ts";
import { type ClusterMember, formatMember } from "../membership/membership.ts";
import { type PromotingMember, promoteLearner } from "../membership/promotion.ts";
import { type ReconfigurationView, refusalToAdd, refusalToRemove } from "../membership/reconfiguration.ts";

/** The part of a member that the service speaks of. */
export type ReconfiguringMember = PromotingMember & Pick<Member, "header" | "linearizable" | "transport">;

/** The Cluster service: who the members are, and how that changes. */
export class ClusterService {
  readonly #member: ReconfiguringMember;

  constructor(member: ReconfiguringMember) {
    this.#member = member;
  }

  async memberList(request: MemberListRequest): Promise<MemberListResponse> {
    if (request.linearizable) await this.#member.linearizable();
    return { header: this.#header(), members: this.#members() };
  }

  async memberAdd({ peerURLs, isLearner }: MemberAddRequest): Promise<MemberAddResponse> {
    // A new member's URLs are kept in order, as its id follows from them; an update's as they were given.
    const peerUrls = validUrls(peerURLs).sort();
    const { clock } = this.#member.ports;
    const id = computeAddedMemberId(peerUrls, Math.floor(clock.wallMs() / 1000));
    const added: ClusterMember = { id, name: "", peerUrls, clientUrls: [], isLearner };
    this.#check((view) => refusalToAdd(view, added));
    const type = isLearner ? "addLearnerNode" : "addNode";
    await this.#member.proposeConfChange({ type, nodeId: id, context: utf8(formatMember(added)) });
    return { header: this.#header(), member: toMessage(added), members: this.#members() };
  }

  async memberRemove({ ID: id }: MemberRemoveRequest): Promise<MemberRemoveResponse> {
    this.#check((view) => refusalToRemove(view, id));
    await this.#member.proposeConfChange({ type: "removeNode", nodeId: id, context: emptyBytes });
    return { header: this.#header(), members: this.#members() };
  }

  async memberUpdate({ ID: id, peerURLs }: MemberUpdateRequest): Promise<MemberUpdateResponse> {
    const updated = { id, name: "", peerUrls: validUrls(peerURLs), clientUrls: [], isLearner: false };
    await this.#member.proposeConfChange({ type: "updateNode", nodeId: id, context: utf8(formatMember(updated)) });
    return { header: this.#header(), members: this.#members() };
  }

  async memberPromote({ ID: id }: MemberPromoteRequest): Promise<MemberPromoteResponse> {
    const members = await promoteLearner(this.#member, id).catch((error: unknown) => {
      throw error instanceof WireError ? refusal(error.code) : error;
    });
    return { header: this.#header(), members: members.map(toMessage) };
  }

  /** The answers of this service say nothing of the store's revision. */
  #header(): ResponseHeader {
    return { ...this.#member.header(), revision: 0 };
  }

  #members(): MemberMessage[] {
    return this.#member.membership.members().map(toMessage);
  }

  #check(refusalOf: (view: ReconfigurationView) => WireErrorName | undefined): void {
    const { id: self, membership, transport, ports, settings } = this.#member;
    if (settings.strictReconfigCheck === false) return;
    const refused = refusalOf({
      self,
      members: membership.members(),
      activeSince: (id) => transport.activeSince(id),
      nowMs: ports.clock.monotonicMs(),
    });
    if (refused !== undefined) throw refusal(refused);
  }
}

/** etcd gives one of these refusals no status of its own. */
function refusal(name: WireErrorName): WireError | RpcError {
  return name === "MemberNotEnoughStarted"
    ? new RpcError(GrpcStatus.Unknown, wireErrors[name].text)
    : new WireError(name);
}

/** Peer URLs as etcd takes them. */
function validUrls(urls: readonly string[]): string[] {
  const trimmed = urls.map((url) => url.trim());
  if (trimmed.length === 0 || trimmed.some((url) => urlFault(url) !== undefined)) throw new WireError("MemberBadURLs");
  return trimmed;
}

function toMessage(member: PeerMember): MemberMessage {
  return {
    ID: member.id,
    name: member.name,
    peerURLs: [...member.peerUrls],
    clientURLs: [...member.clientUrls],
    isLearner: member.isLearner,
  };
}
