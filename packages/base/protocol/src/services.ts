import type { BinaryWriter } from "@bufbuild/protobuf/wire";
import {
  AuthDefinition,
  ClusterDefinition,
  KVDefinition,
  LeaseDefinition,
  MaintenanceDefinition,
  WatchDefinition,
} from "./gen/etcdserverpb/rpc.ts";
import { ElectionDefinition } from "./gen/v3electionpb/v3election.ts";
import { LockDefinition } from "./gen/v3lockpb/v3lock.ts";

/** Turns a message into bytes and back; the generated message objects are such codecs. */
export interface Codec<Message> {
  /** Full name of the message, such as `etcdserverpb.PutRequest`. */
  readonly $type: string;
  /** Writes a message after what the writer holds, or to a new one; its `finish()` gives the bytes. */
  encode(message: Message, writer?: BinaryWriter): BinaryWriter;
  /** Reads a message. Trusts its input; for bytes from outside take `decodeStrict`. */
  decode(bytes: Uint8Array): Message;
}

/** One method of a service. */
export interface MethodDefinition {
  /** Its name in the IDL, as in the path `/<service>/<name>`. */
  readonly name: string;
  /** Codec of the requests. */
  readonly requestType: Codec<unknown>;
  /** Whether the client sends a stream. */
  readonly requestStream: boolean;
  /** Codec of the responses. */
  readonly responseType: Codec<unknown>;
  /** Whether the server sends a stream. */
  readonly responseStream: boolean;
}

/** One service: what the generated `<Name>Definition` objects have in common. */
export interface ServiceDefinition {
  /** Its name without the package. */
  readonly name: string;
  /** Its name with the package, as in the path `/<fullName>/<method>`. */
  readonly fullName: string;
  /** Its methods by their names in camel case. */
  readonly methods: Readonly<Record<string, MethodDefinition>>;
}

/** Every public service of the protocol. */
export const services: readonly ServiceDefinition[] = [
  KVDefinition,
  WatchDefinition,
  LeaseDefinition,
  ClusterDefinition,
  MaintenanceDefinition,
  AuthDefinition,
  LockDefinition,
  ElectionDefinition,
];
