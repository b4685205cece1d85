/**
 * @module What the log holds: one replicated command an entry, in etcd's `InternalRaftRequest`. The command's field
 * and the header are written in ascending field order, as etcd does.
 */
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import {
  AlarmRequest,
  type AlarmResponse,
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
import { type EmptyResponse, RequestHeader } from "@conclave/protocol/etcdserverpb/internal";
import { ClusterMemberAttrSetRequest, ClusterVersionSetRequest } from "@conclave/protocol/membershippb";
import { decodeV2Request, encodeV2Request, isV2Request, speaksV2 } from "./v2-requests.ts";

/** Every kind of command that this member proposes, with its request and its result. */
export interface Commands {
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

function writeHeader(writer: BinaryWriter, id: bigint): void {
  RequestHeader.encode({ ID: id, username: "", authRevision: 0 }, writer.uint32(headerTag).fork()).join();
}

/** Who must be able to read a command. */
export interface CommandReaders {
  /** The API level of the cluster; undefined: of this version. */
  readonly clusterVersion?: string | undefined;
}

/** The bytes of a log entry that carries this command, in the form that all members of the cluster understand. */
export function encodeCommand<K extends CommandKind>(
  kind: K,
  request: CommandRequest<K>,
  id: bigint,
  { clusterVersion }: CommandReaders = {},
): Uint8Array {
  const command = { kind, id, request } as Command;
  // The first version of a cluster already says that there are members of that version.
  const decided = command.kind === "clusterVersionSet" ? command.request.ver : undefined;
  const old = speaksV2(clusterVersion) || speaksV2(decided) ? encodeV2Request(command) : undefined;
  return old ?? encodeInternal(kind, request, id);
}

function encodeInternal<K extends CommandKind>(kind: K, request: CommandRequest<K>, id: bigint): Uint8Array {
  const { number, codec }: CommandField<K> = fields[kind];
  const writer = spareWriter ?? new BinaryWriter();
  // A request that cannot be encoded leaves a writer half-full: only one that has finished is used again.
  spareWriter = undefined;
  if (number > headerNumber) writeHeader(writer, id);
  codec.encode(request, writer.uint32(tagOf(number)).fork()).join();
  if (number < headerNumber) writeHeader(writer, id);
  const data = writer.finish();
  if (data.length <= reusableBytes) spareWriter = writer;
  return data;
}

/** A command read from the log. */
export type Command = {
  readonly [K in CommandKind]: { readonly kind: K; readonly id: bigint; readonly request: CommandRequest<K> };
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
  let id = 0n;
  let command: Pick<Command, "kind" | "request"> | undefined;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const kind = kindsByTag.get(tag);
    if (kind !== undefined) command = { kind, request: fields[kind].codec.decode(reader, reader.uint32()) };
    else if (tag === headerTag) id = RequestHeader.decode(reader, reader.uint32()).ID;
    else reader.skip(tag & 7, tag >>> 3);
  }
  return command === undefined ? undefined : ({ kind: command.kind, id, request: command.request } as Command);
}
