/** @module `--resolver-prefix`: the proxy among those of its kind, in the layout of etcd's naming package. */
import { hostname } from "node:os";
import { utf8Text } from "@conclave/base";
import { type ClientView, prefix, type Session } from "@conclave/client";
import type { Member } from "@conclave/protocol/etcdserverpb";
import type { ProxyLog } from "../log.ts";
import { messageOf } from "../proxy-error.ts";

/** How a proxy makes itself known. */
export interface RegistrationOptions {
  /** A view of the keys within the proxy's namespace. */
  readonly client: ClientView;
  /** What the keys of all proxies that know each other begin with. */
  readonly resolverPrefix: string;
  /** Where this proxy is reached. */
  readonly address: string;
  /** How long its key outlives it, in seconds. */
  readonly ttlSec: number;
  /** Where it tells what happens. */
  readonly log: ProxyLog;
}

/** A proxy that is known to the others for as long as it runs. */
export interface Registration {
  /** The proxies there are; none if they cannot be read, as where a cluster with users lets nobody read them. */
  members(): Promise<Member[]>;
  /** Takes it back. */
  close(): Promise<void>;
}

/** Makes a proxy known, for ever: when its lease is lost it is granted anew. */
export function register({ client, resolverPrefix, address, ttlSec, log }: RegistrationOptions): Registration {
  const session = client.sharedSession({ ttlSec });
  const key = `${resolverPrefix}/${address}`;
  const value = JSON.stringify({ Op: 0, Addr: address, Metadata: JSON.stringify({ name: hostname() }) });
  const put = async ({ lease, signal }: Session): Promise<void> => {
    try {
      await client.put(key, value, { lease, idempotent: true, signal });
      log.info("registered", { address, lease: ttlSec });
    } catch (error) {
      log.warn("failed to register", { address, error: messageOf(error) });
    }
  };
  session.on("session", (current) => void put(current));
  session.on("grantFailed", (error) => log.warn("failed to register", { address, error: messageOf(error) }));
  session.ready().catch(() => undefined);
  let trouble = "";
  /** Tells a reason once, however many clients ask: until there is another one, or none. */
  const note = (reason: string): void => {
    if (reason !== trouble && reason !== "") log.warn("failed to list the proxies", { resolverPrefix, error: reason });
    trouble = reason;
  };
  return {
    async members() {
      try {
        const { kvs } = await client.range(prefix(`${resolverPrefix}/`), { serializable: true });
        note("");
        return kvs.flatMap((kv) => memberOf(kv.value) ?? []);
      } catch (error) {
        note(messageOf(error));
        return [];
      }
    },
    async close() {
      await session.close();
    },
  };
}

/** The member list's line about a proxy that goes by a name at an address. */
export function proxyAsMember(name: string, address: string): Member {
  return { ID: 0n, name, peerURLs: [], clientURLs: [address], isLearner: false };
}

/** What a registered proxy says of itself; undefined if it is none. */
export function memberOf(value: Uint8Array): Member | undefined {
  try {
    const { Addr: address, Metadata: metadata } = JSON.parse(utf8Text(value)) as Record<string, unknown>;
    if (typeof address !== "string") return undefined;
    const { name } = JSON.parse(typeof metadata === "string" ? metadata : "{}") as Record<string, unknown>;
    return proxyAsMember(typeof name === "string" ? name : "", address);
  } catch {
    // Anything may be written below the prefix; what is no registration is passed over.
    return undefined;
  }
}
