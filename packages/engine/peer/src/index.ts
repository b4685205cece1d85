export { createPeerNetwork, type HttpPeerNetwork } from "./http-peer-network.ts";
export {
  defaultPeerLimits,
  type PeerLimits,
  type PeerLog,
  type PeerLogFields,
  type PeerNetworkOptions,
  type PeerTls,
  type PeerTlsAcceptor,
  type PeerTlsClient,
  type PeerTlsServer,
} from "./options.ts";
export { PeerError, type PeerErrorCode } from "./peer-error.ts";
export type {
  OutgoingDatabase,
  PeerCall,
  PeerCalls,
  PeerIdentity,
  PeerMember,
  PeerNetwork,
  PeerReceiver,
  PeerStats,
  PeerTransport,
  PeerVersion,
} from "./peer-network.ts";
