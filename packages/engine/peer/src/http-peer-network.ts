import type { RequestListener } from "node:http";
import { Calls } from "./calls.ts";
import { CauseLog } from "./cause-log.ts";
import type { Home } from "./home.ts";
import { HttpClient } from "./http-client.ts";
import { Listener } from "./listener.ts";
import { defaultPeerLimits, type PeerNetworkOptions } from "./options.ts";
import { PeerHandler } from "./peer-handler.ts";
import type { PeerIdentity, PeerNetwork, PeerReceiver, PeerTransport } from "./peer-network.ts";
import { Transport } from "./transport.ts";

/** The way between members over HTTP. */
export interface HttpPeerNetwork extends PeerNetwork {
  /** Where it listens, with the ports that the system has chosen; empty before `open`. */
  readonly listeningUrls: readonly string[];
}

/**
 * The real way between members: etcd's peer protocol over HTTP/1.1, spoken with members of both kinds.
 *
 * @example
 * ```ts
 * const network = createPeerNetwork({ listenUrls: ["http://127.0.0.1:2380"], clock, scheduler, random, serverVersion, log });
 * const transport = await network.open(identity, receiver);
 * transport.addPeer(0x8211f1d0f64f3269n, ["http://127.0.0.1:2381"]);
 * transport.send(messages);
 * ```
 */
export function createPeerNetwork(options: PeerNetworkOptions): HttpPeerNetwork {
  const { listenUrls, clock, scheduler, random, serverVersion, log, tls, reusePort = false } = options;
  const limits = { ...defaultPeerLimits, ...options.limits };
  const http = new HttpClient(scheduler, tls?.client);
  const calls = new Calls({ http, monotonicMs: () => clock.monotonicMs(), replyBytesMax: limits.callBytesMax });
  let listeners: readonly Listener[] = [];
  const closeListeners = async () => void (await Promise.all(listeners.map((listener) => listener.close())));
  return {
    members: (call) => calls.members(call),
    version: (call) => calls.version(call),
    promote: (call, id) => calls.promote(call, id),
    renewLease: (call, id) => calls.renewLease(call, id),
    leaseTimeToLive: (call, request) => calls.leaseTimeToLive(call, request),
    hashKv: (call, request) => calls.hashKv(call, request),
    get listeningUrls() {
      return listeners.map((listener) => listener.url);
    },
    async open(identity: PeerIdentity, receiver: PeerReceiver): Promise<PeerTransport> {
      const faults = new CauseLog(log);
      const onRemoved = once(() => receiver.onRemoved());
      const ports = { http, limits, clock, scheduler, random, log, faults };
      const home: Home = { identity, serverVersion, receiver, onRemoved, ...ports };
      const transport = new Transport(home, closeListeners);
      const handler = new PeerHandler(home, transport);
      // What comes while the listeners are being opened waits until the caller has its transport.
      let admit: () => void = () => undefined;
      const admitted = new Promise<void>((resolve) => {
        admit = resolve;
      });
      const onRequest: RequestListener = (request, response) =>
        void admitted.then(() => handler.handle(request, response));
      try {
        const open = (url: string) => Listener.open(url, { onRequest, limits, tls: tls?.server, faults, reusePort });
        for (const url of listenUrls) listeners = [...listeners, await open(url)];
      } catch (error) {
        await transport.close();
        throw error;
      }
      scheduler.atTurnEnd(admit);
      return transport;
    },
  };
}

function once(tell: () => void): () => void {
  let told = false;
  return () => {
    if (told) return;
    told = true;
    tell();
  };
}
