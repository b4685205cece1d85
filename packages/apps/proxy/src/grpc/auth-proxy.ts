import { AuthDefinition } from "@conclave/protocol/etcdserverpb";
import type { ServiceHandlers, UnaryHandler } from "@conclave/rpc";
import { forwardService } from "./forward.ts";
import type { ProxyParts } from "./kv-proxy.ts";

/** Methods of the Auth service that change nothing of who may see what. */
const harmless: ReadonlySet<string> = new Set([
  "authenticate",
  "authStatus",
  "userGet",
  "userList",
  "roleGet",
  "roleList",
]);

/** The Auth service: passed on. When users, roles or permissions change, what was read under the old ones is forgotten. */
export function authHandlers({ upstream, cache }: ProxyParts): ServiceHandlers<typeof AuthDefinition> {
  const forwarded = forwardService(upstream, AuthDefinition) as Record<string, UnaryHandler<unknown, unknown>>;
  const handlers = Object.entries(forwarded).map(([name, forward]) => {
    if (harmless.has(name)) return [name, forward] as const;
    const handler: UnaryHandler<unknown, unknown> = async (request, call) => {
      try {
        return await forward(request, call);
      } finally {
        cache.clear();
      }
    };
    return [name, handler] as const;
  });
  // Every method of this service is unary, and each keeps its own handler.
  return Object.fromEntries(handlers) as unknown as ServiceHandlers<typeof AuthDefinition>;
}
