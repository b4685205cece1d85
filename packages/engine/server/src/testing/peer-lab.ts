import type { PeerCalls, PeerMember, PeerVersion } from "@conclave/peer";
import { PeerError } from "@conclave/peer";

/** What a member answers to the calls of others. */
export interface LabPeer {
  readonly clusterId?: bigint;
  readonly members?: readonly PeerMember[];
  readonly version?: PeerVersion;
}

/** Calls to members that are described by what they answer, by URL; nobody else is there. */
export function labPeers(peersByUrl: Readonly<Record<string, LabPeer>>): PeerCalls & { readonly asked: string[] } {
  const asked: string[] = [];
  function reach<R>(urls: readonly string[], answer: (peer: LabPeer) => R | undefined): Promise<R> {
    for (const url of urls) {
      asked.push(url);
      const peer = peersByUrl[url];
      const found = peer === undefined ? undefined : answer(peer);
      if (found !== undefined) return Promise.resolve(found);
    }
    return Promise.reject(new PeerError("UNREACHABLE", `nobody at ${urls.join()}`));
  }
  const unused = (): Promise<never> => Promise.reject(new PeerError("UNREACHABLE", "not part of this lab"));
  return {
    asked,
    members: ({ urls }) => reach(urls, ({ clusterId = 1n, members }) => members && { clusterId, members }),
    version: ({ urls }) => reach(urls, ({ version }) => version),
    promote: unused,
    renewLease: unused,
    leaseTimeToLive: unused,
    hashKv: unused,
  };
}
