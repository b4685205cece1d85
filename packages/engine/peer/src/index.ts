export { PeerError, type PeerErrorCode } from "./peer-error.ts";
export type {
  OutgoingDatabase,
  PeerCall,
  PeerCalls,
  PeerIdentity,
  PeerMember,
  PeerNetwork,
  PeerReceiver,
  PeerTransport,
  PeerVersion,
} from "./peer-network.ts";
