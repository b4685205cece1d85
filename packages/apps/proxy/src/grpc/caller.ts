import type { CallMetadata } from "@conclave/client";
import type { ServerCall } from "@conclave/rpc";

/** Who calls, as far as a member can tell: what it is told along with a call. */
export interface Caller {
  /** What goes along to the member. */
  readonly metadata: CallMetadata;
  /**
   * The same as one string. Whatever is shared between calls (a watcher, a cached read, a renewal) is shared only
   * between callers with the same: a member cannot tell those apart, so they may see the same.
   */
  readonly identity: string;
}

/** What a member looks at: credentials, whether it must know a leader, and which version of the API is spoken. */
const forwardedNames = ["token", "authorization", "hasleader", "client-api-version"] as const;

/** The caller of a call. */
export function callerOf({ metadata }: Pick<ServerCall, "metadata">): Caller {
  const entries = forwardedNames.flatMap((name) => {
    const value = metadata.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { metadata: Object.fromEntries(entries), identity: JSON.stringify(entries) };
}
