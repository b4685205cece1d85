/** @module The calls to other members. */
import { decodeStrict, WireError } from "@conclave/protocol";
import {
  type HashKVResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  type LeaseTimeToLiveRequest,
  type LeaseTimeToLiveResponse,
} from "@conclave/protocol/etcdserverpb";
import { LeaseInternalRequest, LeaseInternalResponse } from "@conclave/protocol/leasepb";
import type { HttpClient, HttpExchange, HttpReply } from "./http-client.ts";
import { formatId, parseId } from "./member-id.ts";
import { formatHashRequest, parseHash, parseMembers, parseVersion } from "./member-json.ts";
import { PeerError } from "./peer-error.ts";
import { header } from "./peer-headers.ts";
import type { PeerCall, PeerCalls, PeerMember, PeerVersion } from "./peer-network.ts";
import { errorOfReply } from "./peer-wire-errors.ts";

/** What the calls are made of. */
export interface CallsOptions {
  /** How others are reached. */
  readonly http: HttpClient;
  /** Time, in ms. */
  readonly monotonicMs: () => number;
  /** A larger answer is refused. */
  readonly replyBytesMax: number;
}

type Asked = Pick<HttpExchange, "method" | "path" | "headers" | "body">;

const textDecoder = new TextDecoder();

/** Calls over etcd's peer endpoints. */
export class Calls implements PeerCalls {
  readonly #options: CallsOptions;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  async members(call: PeerCall): Promise<{ readonly clusterId: bigint; readonly members: readonly PeerMember[] }> {
    const reply = await this.#ask(call, { method: "GET", path: "/members" });
    return understood(() => {
      const clusterId = parseId(header(reply.headers, "x-etcd-cluster-id"));
      if (clusterId === undefined) throw new Error("it does not tell its cluster");
      return { clusterId, members: parseMembers(textOf(reply)) };
    });
  }

  async version(call: PeerCall): Promise<PeerVersion> {
    const reply = await this.#ask(call, { method: "GET", path: "/version" });
    return understood(() => parseVersion(textOf(reply)));
  }

  async promote(call: PeerCall, id: bigint): Promise<readonly PeerMember[]> {
    const reply = await this.#ask(call, { method: "POST", path: `/members/promote/${id}` });
    return understood(() => parseMembers(textOf(reply)));
  }

  async renewLease(call: PeerCall, id: bigint): Promise<number> {
    const body = LeaseKeepAliveRequest.encode({ ID: id }).finish();
    const reply = await this.#ask(call, { method: "POST", path: "/leases", headers: protobuf, body });
    return understood(() => decodeStrict(LeaseKeepAliveResponse, reply.body).TTL);
  }

  async leaseTimeToLive(call: PeerCall, request: LeaseTimeToLiveRequest): Promise<LeaseTimeToLiveResponse> {
    const body = LeaseInternalRequest.encode({ LeaseTimeToLiveRequest: request }).finish();
    const reply = await this.#ask(call, { method: "POST", path: "/leases/internal", headers: protobuf, body });
    return understood(() => {
      const { LeaseTimeToLiveResponse: told } = decodeStrict(LeaseInternalResponse, reply.body);
      if (told === undefined) throw new Error("it is empty");
      return told;
    });
  }

  async hashKv(
    call: PeerCall,
    request: { readonly revision: number; readonly clusterId: bigint },
  ): Promise<HashKVResponse> {
    const headers = { "Content-Type": "application/json", "X-Etcd-Cluster-ID": formatId(request.clusterId) };
    const body = Buffer.from(formatHashRequest(request.revision));
    const reply = await this.#ask(call, { method: "GET", path: "/members/hashkv", headers, body });
    return understood(() => parseHash(textOf(reply)));
  }

  /** Asks one URL after the other; each gets its share of the time that is left. */
  async #ask({ urls, timeoutMs }: PeerCall, asked: Asked): Promise<HttpReply> {
    const { http, monotonicMs, replyBytesMax } = this.#options;
    const deadlineMs = monotonicMs() + timeoutMs;
    let failure: unknown = new PeerError("UNREACHABLE", "Cannot call a member without URLs");
    for (const [tried, url] of urls.entries()) {
      const leftMs = Math.max(0, deadlineMs - monotonicMs()) / (urls.length - tried);
      try {
        return accepted(asked, await http.exchange({ ...asked, url, timeoutMs: leftMs, replyBytesMax }));
      } catch (error) {
        // Only silence is a reason to ask elsewhere: an answer counts, whatever it says.
        if (!(error instanceof PeerError && error.code === "UNREACHABLE")) throw error;
        failure = error;
      }
    }
    throw failure;
  }
}

const protobuf = { "Content-Type": "application/protobuf" };

function accepted({ path }: Asked, reply: HttpReply): HttpReply {
  const { status } = reply;
  if (status === 200) return reply;
  const text = textOf(reply).trim();
  const code = errorOfReply({ path, status, text });
  if (code !== undefined) throw new WireError(code);
  throw new PeerError("REFUSED", `Cannot call ${path}: ${status} ${text.slice(0, 200)}`);
}

function textOf({ body }: HttpReply): string {
  return textDecoder.decode(body);
}

/** Reads an answer; what cannot be read is no answer. */
function understood<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PeerError("MALFORMED", `Cannot understand the answer of a member: ${reason}`, { cause });
  }
}
