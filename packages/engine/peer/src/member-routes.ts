/** @module What etcd serves to other members beside raft: members, promotion, hashes, versions and leases. */
import { MalformedError } from "@conclave/base";
import { decodeStrict } from "@conclave/protocol";
import { LeaseKeepAliveRequest, LeaseKeepAliveResponse } from "@conclave/protocol/etcdserverpb";
import { LeaseInternalRequest, LeaseInternalResponse } from "@conclave/protocol/leasepb";
import { type Answer, type Exchange, pathNotFound, textAnswer, wrongMethod } from "./answer.ts";
import type { Home } from "./home.ts";
import { formatId } from "./member-id.ts";
import { formatHash, formatMembers, formatVersion, parseHashRequest } from "./member-json.ts";
import { header } from "./peer-headers.ts";
import { internalText, isWireError, leaseStatuses, statusOf } from "./peer-wire-errors.ts";
import { readBody } from "./request-body.ts";

const promotePrefix = "/members/promote/";

/** Answers the calls of other members. */
export class MemberRoutes {
  readonly #home: Home;

  constructor(home: Home) {
    this.#home = home;
  }

  /** The answer to a call. */
  async answer(exchange: Exchange): Promise<Answer> {
    const { path } = exchange;
    if (path === "/members") return this.#onMembers(exchange);
    if (path === "/members/hashkv") return this.#onHash(exchange);
    if (path.startsWith(promotePrefix)) return this.#onPromote(exchange);
    if (path === "/version") return this.#onVersion(exchange);
    if (path === "/leases") return this.#onKeepAlive(exchange);
    if (path === "/leases/internal") return this.#onTimeToLive(exchange);
    if (path === "/downgrade/enabled") return this.#onDowngrade(exchange);
    return pathNotFound;
  }

  #onMembers({ request }: Exchange): Answer {
    if (request.method !== "GET") return wrongMethod("GET");
    return this.#json(formatMembers(this.#home.receiver.members()));
  }

  #onVersion({ request }: Exchange): Answer {
    if (request.method !== "GET") return wrongMethod("GET");
    return json(formatVersion(this.#home.receiver.version()));
  }

  #onDowngrade({ request }: Exchange): Answer {
    if (request.method !== "GET") return wrongMethod("GET");
    const body = String(this.#home.receiver.downgrading());
    return { status: 200, headers: { "Content-Type": "text/plain", ...this.#clusterHeader() }, body };
  }

  async #onPromote({ request, path }: Exchange): Promise<Answer> {
    if (request.method !== "POST") return wrongMethod("POST");
    const text = path.slice(promotePrefix.length);
    const id = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
    if (id === undefined) return textAnswer(404, `member ${text} not found in cluster`, this.#clusterHeader());
    try {
      return this.#json(formatMembers(await this.#home.receiver.promote(id)));
    } catch (error) {
      return refusal(error, this.#clusterHeader());
    }
  }

  async #onHash({ request }: Exchange): Promise<Answer> {
    if (request.method !== "GET") return wrongMethod("GET");
    const { clusterId } = this.#home.identity;
    const sent = header(request.headers, "x-etcd-cluster-id");
    if (sent !== undefined && sent !== formatId(clusterId)) return textAnswer(412, "cluster ID mismatch");
    const revision = await this.#read(request, (bytes) => parseHashRequest(Buffer.from(bytes).toString()));
    if (revision === undefined) return textAnswer(400, "error unmarshalling request");
    try {
      return this.#json(formatHash(await this.#home.receiver.hashKv(revision)));
    } catch (error) {
      return refusal(error);
    }
  }

  async #onKeepAlive({ request }: Exchange): Promise<Answer> {
    if (request.method !== "POST") return wrongMethod();
    const asked = await this.#read(request, (bytes) => decodeStrict(LeaseKeepAliveRequest, bytes));
    if (asked === undefined) return textAnswer(400, "error unmarshalling request");
    try {
      const TTL = await this.#home.receiver.renewLease(asked.ID);
      return protobuf(LeaseKeepAliveResponse.encode({ header: undefined, ID: asked.ID, TTL }).finish());
    } catch (error) {
      return leaseRefusal(error);
    }
  }

  async #onTimeToLive({ request }: Exchange): Promise<Answer> {
    if (request.method !== "POST") return wrongMethod();
    const decode = (bytes: Uint8Array) => decodeStrict(LeaseInternalRequest, bytes).LeaseTimeToLiveRequest;
    const asked = await this.#read(request, decode);
    if (asked === undefined) return textAnswer(400, "error unmarshalling request");
    try {
      const told = await this.#home.receiver.leaseTimeToLive(asked);
      const LeaseTimeToLiveResponse = { ...told, header: told.header ?? noHeader };
      return protobuf(LeaseInternalResponse.encode({ LeaseTimeToLiveResponse }).finish());
    } catch (error) {
      return leaseRefusal(error);
    }
  }

  /** What a body says; undefined if it says nothing that can be understood. */
  async #read<T>(request: Exchange["request"], decode: (bytes: Uint8Array) => T): Promise<T | undefined> {
    const { scheduler, limits } = this.#home;
    const options = { scheduler, idleMs: limits.streamIdleMs, bytesMax: limits.callBytesMax };
    try {
      return decode(await readBody(request, options));
    } catch (error) {
      if (error instanceof MalformedError || (error instanceof Error && error.name === "DecodeError")) return undefined;
      throw error;
    }
  }

  #json(body: string): Answer {
    const { headers, ...rest } = json(body);
    return { ...rest, headers: { ...headers, ...this.#clusterHeader() } };
  }

  #clusterHeader(): Readonly<Record<string, string>> {
    return { "X-Etcd-Cluster-ID": formatId(this.#home.identity.clusterId) };
  }
}

/** A header that tells nothing; etcd's lease endpoint puts it in. */
const noHeader = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };

function json(body: string): Answer {
  return { status: 200, headers: { "Content-Type": "application/json" }, body };
}

function protobuf(body: Uint8Array): Answer {
  return { status: 200, headers: { "Content-Type": "application/protobuf" }, body };
}

/** @throws what is no error of the protocol */
function refusal(error: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  if (!isWireError(error)) throw error;
  return textAnswer(statusOf(error.code), internalText(error.code), headers);
}

/** @throws what is no error of the protocol */
function leaseRefusal(error: unknown): Answer {
  if (!isWireError(error)) throw error;
  const status = leaseStatuses[error.code];
  return textAnswer(status ?? 400, internalText(error.code));
}
