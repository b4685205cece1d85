import {
  LeaseDefinition,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
} from "@conclave/protocol/etcdserverpb";
import type { RequestStream, ResponseStream, ServerCall, ServiceHandlers } from "@conclave/rpc";
import { callerOf } from "./caller.ts";
import { forwardUnary } from "./forward.ts";
import type { KeepAliveSharing } from "./keep-alive-sharing.ts";
import type { ProxyParts } from "./kv-proxy.ts";
import { upstreamMethod } from "./upstream.ts";

const { methods } = LeaseDefinition;

/** Renewals of one stream that may be under way; above it the client is stopped. */
const renewalsMax = 1024;

/** The Lease service: renewals are shared, everything else is passed on. */
export function leaseHandlers(
  { upstream, namespace, cache }: ProxyParts,
  keepAlives: KeepAliveSharing,
): ServiceHandlers<typeof LeaseDefinition> {
  const revoke = forwardUnary(upstream, upstreamMethod(LeaseDefinition, methods.leaseRevoke));
  return {
    leaseGrant: forwardUnary(upstream, upstreamMethod(LeaseDefinition, methods.leaseGrant)),
    leaseRevoke: async (request, call) => {
      try {
        return await revoke(request, call);
      } finally {
        // Which keys went with it is not said.
        cache.clear();
      }
    },
    leaseKeepAlive: (requests, responses, call) => keepAlive(keepAlives, { requests, responses, call }),
    leaseTimeToLive: forwardUnary(upstream, upstreamMethod(LeaseDefinition, methods.leaseTimeToLive), {
      response: (response) => namespace.timeToLiveResponse(response),
    }),
    leaseLeases: forwardUnary(upstream, upstreamMethod(LeaseDefinition, methods.leaseLeases)),
  };
}

interface KeepAliveStream {
  readonly requests: RequestStream<LeaseKeepAliveRequest>;
  readonly responses: ResponseStream<LeaseKeepAliveResponse>;
  readonly call: ServerCall;
}

async function keepAlive(keepAlives: KeepAliveSharing, { requests, responses, call }: KeepAliveStream): Promise<void> {
  const caller = callerOf(call);
  const underWay = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  const renew = async (id: bigint): Promise<void> => {
    try {
      responses.write(await keepAlives.renew(caller, id));
    } catch (error) {
      failure ??= { error };
    }
  };
  const failed = async (run: Promise<void>): Promise<void> => {
    await run;
    if (failure !== undefined) throw failure.error;
  };
  const reading = requests.forEach(async ({ ID }) => {
    const run: Promise<void> = renew(ID).then(() => void underWay.delete(run));
    underWay.add(run);
    if (underWay.size >= renewalsMax) await failed(Promise.race(underWay));
    await responses.drained();
  });
  await reading;
  await failed(Promise.all(underWay).then(() => undefined));
}
