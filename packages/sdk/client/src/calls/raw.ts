/** @module Every method of the protocol, as the protocol has it: messages in, messages out, keys unprefixed. */
import {
  AuthDefinition,
  ClusterDefinition,
  KVDefinition,
  LeaseDefinition,
  MaintenanceDefinition,
} from "@conclave/protocol/etcdserverpb";
import { ElectionDefinition } from "@conclave/protocol/v3electionpb";
import { LockDefinition } from "@conclave/protocol/v3lockpb";
import * as z from "zod";
import { callFields, validate } from "../validate.ts";
import type { CallOptions } from "./call-scope.ts";
import { type MessageStreamOptions, readMessages } from "./message-stream.ts";
import { rpcMethod, type TypedMethodDefinition } from "./rpc-method.ts";
import { type CallPorts, type Effect, runUnary } from "./unary-run.ts";

/** What a raw call can be told. */
export interface RawCallOptions extends CallOptions {
  /** The member to ask; default: the one the client talks to, another one after a failure. */
  readonly endpoint?: string | undefined;
  /** Whether repeating the call does no harm. Default: what is true of the method whatever the request. */
  readonly idempotent?: boolean | undefined;
  /** Whether a member that knows no leader should refuse at once. Default: false. */
  readonly requireLeader?: boolean | undefined;
}

/** A message of which fields may be left out: they have the protocol's zero values. */
export type PartialMessage<Message> = { readonly [Field in keyof Message]?: Message[Field] };

interface Codecs<Request, Response> {
  readonly requestType: { fromPartial(partial: never): Request; encode(message: Request): { finish(): Uint8Array } };
  readonly responseType: { decode(bytes: Uint8Array): Response };
}

/** A method of a definition as a function. */
export type RawMethod<Definition> =
  Definition extends Codecs<infer Request, infer Response>
    ? Definition extends { readonly responseStream: true }
      ? (request?: PartialMessage<Request>, options?: MessageStreamOptions) => AsyncIterable<Response>
      : (request?: PartialMessage<Request>, options?: RawCallOptions) => Promise<Response>
    : never;

/** The methods of a service as functions, by their names in camel case. */
export type RawService<Definition extends { readonly methods: object }> = {
  readonly [Name in keyof Definition["methods"]]: RawMethod<Definition["methods"][Name]>;
};

/** Every service but Watch, whose stream belongs to `client.watch`. `leaseKeepAlive` sends one request. */
export interface RawServices {
  /** Keys and values. */
  readonly kv: RawService<typeof KVDefinition>;
  /** Leases. */
  readonly lease: RawService<typeof LeaseDefinition>;
  /** Members. */
  readonly cluster: RawService<typeof ClusterDefinition>;
  /** Maintenance. */
  readonly maintenance: RawService<typeof MaintenanceDefinition>;
  /** Users and roles. */
  readonly auth: RawService<typeof AuthDefinition>;
  /** The member's lock service. */
  readonly lock: RawService<typeof LockDefinition>;
  /** The member's election service. */
  readonly election: RawService<typeof ElectionDefinition>;
}

/** Methods that change nothing. @internal */
export const reads: ReadonlySet<string> = new Set([
  "etcdserverpb.KV/Range",
  "etcdserverpb.Lease/LeaseTimeToLive",
  "etcdserverpb.Lease/LeaseLeases",
  "etcdserverpb.Cluster/MemberList",
  "etcdserverpb.Maintenance/Status",
  "etcdserverpb.Maintenance/Hash",
  "etcdserverpb.Maintenance/HashKV",
  "etcdserverpb.Auth/AuthStatus",
  "etcdserverpb.Auth/Authenticate",
  "etcdserverpb.Auth/UserGet",
  "etcdserverpb.Auth/UserList",
  "etcdserverpb.Auth/RoleGet",
  "etcdserverpb.Auth/RoleList",
  "v3electionpb.Election/Leader",
]);

/** Methods that do the same done twice. @internal */
export const idempotentMethods: ReadonlySet<string> = new Set([
  "etcdserverpb.Lease/LeaseKeepAlive",
  "etcdserverpb.Maintenance/Defragment",
]);

/** Methods that are meant to wait, or whose time depends on how much data there is: no time limit by default. @internal */
export const patientMethods: ReadonlySet<string> = new Set([
  "v3lockpb.Lock/Lock",
  "v3electionpb.Election/Campaign",
  "etcdserverpb.Maintenance/Defragment",
  "etcdserverpb.Maintenance/Hash",
  "etcdserverpb.Maintenance/HashKV",
]);

const streamSchema = z.strictObject({
  ...callFields,
  endpoint: z.string().optional(),
  requireLeader: z.boolean().optional(),
});
const rawSchema = streamSchema.extend({ idempotent: z.boolean().optional() });

/** Makes the functions of every service. */
export function createRawServices(ports: CallPorts): RawServices {
  return {
    kv: rawService(ports, KVDefinition),
    lease: rawService(ports, LeaseDefinition),
    cluster: rawService(ports, ClusterDefinition),
    maintenance: rawService(ports, MaintenanceDefinition),
    auth: rawService(ports, AuthDefinition),
    lock: rawService(ports, LockDefinition),
    election: rawService(ports, ElectionDefinition),
  };
}

type AnyMethod = TypedMethodDefinition<unknown, unknown> & {
  readonly requestType: { fromPartial(partial: unknown): unknown };
};

function rawService<Definition extends { readonly fullName: string; readonly methods: object }>(
  ports: CallPorts,
  service: Definition,
): RawService<Definition> {
  // The generated definitions are such records; their types are too precise to be looked at one by one.
  const methods = Object.entries(service.methods) as [string, AnyMethod][];
  return Object.fromEntries(
    methods.map(([name, method]) => [name, rawMethod(ports, service, method)]),
  ) as RawService<Definition>;
}

function rawMethod(ports: CallPorts, service: { readonly fullName: string }, definition: AnyMethod): unknown {
  const method = rpcMethod(service, definition);
  const effect: Effect = reads.has(method.name)
    ? "read"
    : idempotentMethods.has(method.name)
      ? "idempotent"
      : "mutation";
  const timeoutMs = patientMethods.has(method.name) ? Number.POSITIVE_INFINITY : undefined;
  if (definition.responseStream && !definition.requestStream)
    return (request: unknown = {}, options: MessageStreamOptions = {}) => {
      validate(streamSchema, options, `options of ${method.name}`);
      return readMessages(ports, method, definition.requestType.fromPartial(request), options);
    };
  return async (request: unknown = {}, options: RawCallOptions = {}) => {
    validate(rawSchema, options, `options of ${method.name}`);
    return await runUnary(ports, method, definition.requestType.fromPartial(request), {
      signal: options.signal,
      timeoutMs: options.timeoutMs ?? timeoutMs,
      endpoint: options.endpoint,
      requireLeader: options.requireLeader ?? false,
      effect: options.idempotent === true && effect === "mutation" ? "idempotent" : effect,
    });
  };
}
