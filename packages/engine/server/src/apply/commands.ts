/**
 * @module What the log holds: one replicated command an entry, in etcd's `InternalRaftRequest`. The command's field
 * and the header are written in ascending field order, as etcd does.
 */
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { type AuthCommands, type Caller, nobody } from "@conclave/auth";
import { ByteSlab, ByteWriter, varint64Bytes, varintBytes } from "@conclave/base";
import { receivedBytes } from "@conclave/protocol";
import {
  AlarmRequest,
  type AlarmResponse,
  AuthDisableRequest,
  AuthEnableRequest,
  type AuthenticateResponse,
  AuthRoleAddRequest,
  AuthRoleDeleteRequest,
  AuthRoleGetRequest,
  AuthRoleGrantPermissionRequest,
  AuthRoleListRequest,
  AuthRoleRevokePermissionRequest,
  AuthStatusRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGetRequest,
  AuthUserGrantRoleRequest,
  AuthUserListRequest,
  AuthUserRevokeRoleRequest,
  CompactionRequest,
  type CompactionResponse,
  DeleteRangeRequest,
  type DeleteRangeResponse,
  LeaseCheckpointRequest,
  type LeaseCheckpointResponse,
  LeaseGrantRequest,
  type LeaseGrantResponse,
  LeaseRevokeRequest,
  type LeaseRevokeResponse,
  PutRequest,
  type PutResponse,
  TxnRequest,
  type TxnResponse,
} from "@conclave/protocol/etcdserverpb";
import {
  type EmptyResponse,
  InternalAuthenticateRequest,
  RequestHeader,
} from "@conclave/protocol/etcdserverpb/internal";
import {
  ClusterMemberAttrSetRequest,
  ClusterVersionSetRequest,
  DowngradeInfoSetRequest,
} from "@conclave/protocol/membershippb";
import { decodeV2Request, encodeV2Request, hasV2Form, isV2Request, speaksV2 } from "./v2-requests.ts";

/** Every kind of command that this member proposes, with its request and its result. */
export interface Commands extends AuthCommands {
  readonly put: { readonly request: PutRequest; readonly response: PutResponse };
  readonly deleteRange: { readonly request: DeleteRangeRequest; readonly response: DeleteRangeResponse };
  readonly txn: { readonly request: TxnRequest; readonly response: TxnResponse };
  readonly compaction: { readonly request: CompactionRequest; readonly response: CompactionResponse };
  readonly leaseGrant: { readonly request: LeaseGrantRequest; readonly response: LeaseGrantResponse };
  readonly leaseRevoke: { readonly request: LeaseRevokeRequest; readonly response: LeaseRevokeResponse };
  readonly alarm: { readonly request: AlarmRequest; readonly response: AlarmResponse };
  readonly leaseCheckpoint: { readonly request: LeaseCheckpointRequest; readonly response: LeaseCheckpointResponse };
  readonly clusterVersionSet: { readonly request: ClusterVersionSetRequest; readonly response: EmptyResponse };
  readonly clusterMemberAttrSet: { readonly request: ClusterMemberAttrSetRequest; readonly response: EmptyResponse };
  readonly downgradeInfoSet: { readonly request: DowngradeInfoSetRequest; readonly response: EmptyResponse };
  readonly authenticate: { readonly request: InternalAuthenticateRequest; readonly response: AuthenticateResponse };
}

/** The name of a command: its field in `InternalRaftRequest`. */
export type CommandKind = keyof Commands;

/** The request of a kind of command. */
export type CommandRequest<K extends CommandKind> = Commands[K]["request"];

/** The result of a kind of command. */
export type CommandResponse<K extends CommandKind> = Commands[K]["response"];

interface CommandField<K extends CommandKind> {
  readonly number: number;
  readonly codec: {
    encode(request: CommandRequest<K>, writer: BinaryWriter): BinaryWriter;
    decode(reader: BinaryReader, length: number): CommandRequest<K>;
  };
}

const fields: { readonly [K in CommandKind]: CommandField<K> } = {
  put: { number: 4, codec: PutRequest },
  deleteRange: { number: 5, codec: DeleteRangeRequest },
  txn: { number: 6, codec: TxnRequest },
  compaction: { number: 7, codec: CompactionRequest },
  leaseGrant: { number: 8, codec: LeaseGrantRequest },
  leaseRevoke: { number: 9, codec: LeaseRevokeRequest },
  alarm: { number: 10, codec: AlarmRequest },
  leaseCheckpoint: { number: 11, codec: LeaseCheckpointRequest },
  clusterVersionSet: { number: 1300, codec: ClusterVersionSetRequest },
  clusterMemberAttrSet: { number: 1301, codec: ClusterMemberAttrSetRequest },
  downgradeInfoSet: { number: 1302, codec: DowngradeInfoSetRequest },
  authEnable: { number: 1000, codec: AuthEnableRequest },
  authDisable: { number: 1011, codec: AuthDisableRequest },
  authenticate: { number: 1012, codec: InternalAuthenticateRequest },
  authStatus: { number: 1013, codec: AuthStatusRequest },
  authUserAdd: { number: 1100, codec: AuthUserAddRequest },
  authUserDelete: { number: 1101, codec: AuthUserDeleteRequest },
  authUserGet: { number: 1102, codec: AuthUserGetRequest },
  authUserChangePassword: { number: 1103, codec: AuthUserChangePasswordRequest },
  authUserGrantRole: { number: 1104, codec: AuthUserGrantRoleRequest },
  authUserRevokeRole: { number: 1105, codec: AuthUserRevokeRoleRequest },
  authUserList: { number: 1106, codec: AuthUserListRequest },
  authRoleList: { number: 1107, codec: AuthRoleListRequest },
  authRoleAdd: { number: 1200, codec: AuthRoleAddRequest },
  authRoleDelete: { number: 1201, codec: AuthRoleDeleteRequest },
  authRoleGet: { number: 1202, codec: AuthRoleGetRequest },
  authRoleGrantPermission: { number: 1203, codec: AuthRoleGrantPermissionRequest },
  authRoleRevokePermission: { number: 1204, codec: AuthRoleRevokePermissionRequest },
};
const headerNumber = 100;
const lengthDelimited = 2;

function tagOf(fieldNumber: number): number {
  return (fieldNumber << 3) | lengthDelimited;
}

const headerTag = tagOf(headerNumber);
const kindsByTag: ReadonlyMap<number, CommandKind> = new Map(
  (Object.keys(fields) as CommandKind[]).map((kind) => [tagOf(fields[kind].number), kind]),
);

/** A writer keeps the memory of the largest command it wrote; one that wrote more than this is given up. */
const reusableBytes = 1024 * 1024;
let spareWriter: BinaryWriter | undefined;

function writeHeader(writer: BinaryWriter, id: bigint, { username, authRevision }: Caller): void {
  RequestHeader.encode({ ID: id, username, authRevision }, writer.uint32(headerTag).fork()).join();
}

/** The bytes that a request came in, if its entry can be made of them: puts and transactions stand before the header. */
function spliceableBytes(request: object, { username, authRevision }: Caller): Uint8Array | undefined {
  return authRevision === 0 && username === "" ? receivedBytes(request) : undefined;
}

/** What reading an entry would give, if that holds the very bytes that its request was read from. */
export function knownCommand<K extends CommandKind>(
  kind: K,
  request: CommandRequest<K>,
  id: bigint,
  caller: Caller,
): Command | undefined {
  return spliceableBytes(request, caller) === undefined ? undefined : ({ kind, id, request } as Command);
}

/** In whose name a command is proposed, and who must be able to read it. */
export interface CommandEnvelope {
  /** Who asks for it; default: nobody. */
  readonly caller?: Caller;
  /** The API level of the cluster; undefined: of this version. */
  readonly clusterVersion?: string | undefined;
}

/** The bytes of a log entry that carries this command, in the form that all members of the cluster understand. */
export function encodeCommand<K extends CommandKind>(
  kind: K,
  request: CommandRequest<K>,
  id: bigint,
  { caller = nobody, clusterVersion }: CommandEnvelope = {},
): Uint8Array {
  const old = hasV2Form(kind) ? encodeOld({ kind, id, request } as Command, clusterVersion) : undefined;
  return old ?? encodeInternal(kind, request, { id, caller });
}

/** The old form of a command, if members that know no other are in the cluster. */
function encodeOld(command: Command, clusterVersion: string | undefined): Uint8Array | undefined {
  // The first version of a cluster already says that there are members of that version.
  const decided = command.kind === "clusterVersionSet" ? command.request.ver : undefined;
  return speaksV2(clusterVersion) || speaksV2(decided) ? encodeV2Request(command) : undefined;
}

function encodeInternal<K extends CommandKind>(
  kind: K,
  request: CommandRequest<K>,
  { id, caller }: { readonly id: bigint; readonly caller: Caller },
): Uint8Array {
  const { number, codec }: CommandField<K> = fields[kind];
  const received = spliceableBytes(request, caller);
  if (received !== undefined) return splice(tagOf(number), received, id);
  const writer = spareWriter ?? new BinaryWriter();
  // A request that cannot be encoded leaves a writer half-full: only one that has finished is used again.
  spareWriter = undefined;
  if (number > headerNumber) writeHeader(writer, id, caller);
  codec.encode(request, writer.uint32(tagOf(number)).fork()).join();
  if (number < headerNumber) writeHeader(writer, id, caller);
  const data = writer.finish();
  if (data.length <= reusableBytes) spareWriter = writer;
  return data;
}

/** Entries that were put together of bytes that came; they stay in the log for about equally long. */
const spliced = new ByteSlab();

/** Bytes of the header before the id, which is all that it holds: its tag and length, and the tag of the id. */
const bareHeaderBytes = varintBytes(headerTag) + 2;
const idTag = 0x08;

/** What {@link encodeInternal} makes of a request of nobody's, out of the bytes that it came in. */
function splice(tag: number, request: Uint8Array, id: bigint): Uint8Array {
  const idBytes = varint64Bytes(id);
  const bytes = varintBytes(tag) + varintBytes(request.length) + request.length + bareHeaderBytes + idBytes;
  const data = spliced.take(bytes);
  const writer = new ByteWriter(data);
  writer.varint(tag);
  writer.varint(request.length);
  writer.raw(request);
  writer.varint(headerTag);
  writer.varint(1 + idBytes);
  writer.byte(idTag);
  writer.varint64(id);
  return data;
}

/** A command read from the log. */
export type Command = {
  readonly [K in CommandKind]: {
    readonly kind: K;
    readonly id: bigint;
    readonly request: CommandRequest<K>;
    /** Who asks for it; absent: nobody who has said who he is. */
    readonly caller?: Caller;
  };
}[CommandKind];

/**
 * Reads the command of a log entry. The codec of `InternalRaftRequest` would make an object of all its fields, of
 * which two are there.
 *
 * @returns the command, or undefined for one that this version does not know: every member must then skip it alike
 * @throws the decoder's error if the bytes are no `InternalRaftRequest`
 */
export function decodeCommand(data: Uint8Array): Command | undefined {
  if (isV2Request(data)) return decodeV2Request(data);
  const reader = new BinaryReader(data);
  let header: RequestHeader | undefined;
  let command: Pick<Command, "kind" | "request"> | undefined;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const kind = kindsByTag.get(tag);
    if (kind !== undefined) command = { kind, request: fields[kind].codec.decode(reader, reader.uint32()) };
    else if (tag === headerTag) header = RequestHeader.decode(reader, reader.uint32());
    else reader.skip(tag & 7, tag >>> 3);
  }
  if (command === undefined) return undefined;
  const { ID: id, username, authRevision } = header ?? { ID: 0n, ...nobody };
  const caller = authRevision === 0 ? undefined : { caller: { username, authRevision } };
  return { kind: command.kind, id, request: command.request, ...caller } as Command;
}
