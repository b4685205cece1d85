/** @module The Lock and Election services: passed on, their names and keys within the namespace. */
import { ElectionDefinition, type LeaderResponse } from "@conclave/protocol/v3electionpb";
import { LockDefinition } from "@conclave/protocol/v3lockpb";
import type { ServiceHandlers } from "@conclave/rpc";
import { forwardServerStream, forwardUnary } from "./forward.ts";
import type { ProxyParts } from "./kv-proxy.ts";
import { upstreamMethod } from "./upstream.ts";

/** The Lock service. */
export function lockHandlers({ upstream, namespace, cache }: ProxyParts): ServiceHandlers<typeof LockDefinition> {
  const { lock, unlock } = LockDefinition.methods;
  const forwardUnlock = forwardUnary(upstream, upstreamMethod(LockDefinition, unlock), {
    request: (request) => ({ ...request, key: namespace.outward(request.key) }),
  });
  const forwardLock = forwardUnary(upstream, upstreamMethod(LockDefinition, lock), {
    request: (request) => ({ ...request, name: namespace.outward(request.name) }),
    response: (response) => ({ ...response, key: namespace.inward(response.key) }),
  });
  return {
    lock: (request, call) => changing(cache, forwardLock(request, call)),
    unlock: (request, call) => changing(cache, forwardUnlock(request, call)),
  };
}

/** The Election service. */
export function electionHandlers(parts: ProxyParts): ServiceHandlers<typeof ElectionDefinition> {
  const { upstream, namespace, cache } = parts;
  const { campaign, proclaim, leader, observe, resign } = ElectionDefinition.methods;
  const named = <Request extends { readonly name: Uint8Array }>(request: Request): Request => {
    return { ...request, name: namespace.outward(request.name) };
  };
  const told = (response: LeaderResponse): LeaderResponse => ({ ...response, kv: namespace.pair(response.kv) });
  const forwardCampaign = forwardUnary(upstream, upstreamMethod(ElectionDefinition, campaign), {
    request: named,
    response: (response) => ({ ...response, leader: namespace.leaderResponse(response.leader) }),
  });
  const forwardProclaim = forwardUnary(upstream, upstreamMethod(ElectionDefinition, proclaim), {
    request: (request) => ({ ...request, leader: namespace.leader(request.leader) }),
  });
  const forwardResign = forwardUnary(upstream, upstreamMethod(ElectionDefinition, resign), {
    request: (request) => ({ ...request, leader: namespace.leader(request.leader) }),
  });
  return {
    campaign: (request, call) => changing(cache, forwardCampaign(request, call)),
    proclaim: (request, call) => changing(cache, forwardProclaim(request, call)),
    resign: (request, call) => changing(cache, forwardResign(request, call)),
    leader: forwardUnary(upstream, upstreamMethod(ElectionDefinition, leader), { request: named, response: told }),
    observe: forwardServerStream(upstream, upstreamMethod(ElectionDefinition, observe), {
      request: named,
      response: told,
    }),
  };
}

/** These write keys of which only the member knows the names. */
async function changing<Response>(cache: ProxyParts["cache"], call: Promise<Response>): Promise<Response> {
  try {
    return await call;
  } finally {
    cache.clear();
  }
}
