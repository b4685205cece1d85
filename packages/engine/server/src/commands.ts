/**
 * @module What the log holds: one replicated command an entry, in etcd's `InternalRaftRequest`. The command's field
 * and the header are written in ascending field order, as etcd does.
 */
import { BinaryWriter } from "@bufbuild/protobuf/wire";
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
import { type EmptyResponse, InternalRaftRequest, RequestHeader } from "@conclave/protocol/etcdserverpb/internal";
import { ClusterMemberAttrSetRequest, ClusterVersionSetRequest } from "@conclave/protocol/membershippb";

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
  readonly encode: (request: CommandRequest<K>, writer: BinaryWriter) => BinaryWriter;
}

const fields: { readonly [K in CommandKind]: CommandField<K> } = {
  put: { number: 4, encode: PutRequest.encode },
  deleteRange: { number: 5, encode: DeleteRangeRequest.encode },
  txn: { number: 6, encode: TxnRequest.encode },
  compaction: { number: 7, encode: CompactionRequest.encode },
  leaseGrant: { number: 8, encode: LeaseGrantRequest.encode },
  leaseRevoke: { number: 9, encode: LeaseRevokeRequest.encode },
  alarm: { number: 10, encode: AlarmRequest.encode },
  leaseCheckpoint: { number: 11, encode: LeaseCheckpointRequest.encode },
  clusterVersionSet: { number: 1300, encode: ClusterVersionSetRequest.encode },
  clusterMemberAttrSet: { number: 1301, encode: ClusterMemberAttrSetRequest.encode },
};
const kinds = Object.keys(fields) as CommandKind[];
const headerNumber = 100;
const lengthDelimited = 2;

function tag(fieldNumber: number): number {
  return (fieldNumber << 3) | lengthDelimited;
}

function writeHeader(writer: BinaryWriter, id: bigint): void {
  RequestHeader.encode({ ID: id, username: "", authRevision: 0 }, writer.uint32(tag(headerNumber)).fork()).join();
}

/** The bytes of a log entry that carries this command. */
export function encodeCommand<K extends CommandKind>(kind: K, request: CommandRequest<K>, id: bigint): Uint8Array {
  const field: CommandField<K> = fields[kind];
  const writer = new BinaryWriter();
  if (field.number > headerNumber) writeHeader(writer, id);
  field.encode(request, writer.uint32(tag(field.number)).fork()).join();
  if (field.number < headerNumber) writeHeader(writer, id);
  return writer.finish();
}

/** A command read from the log. */
export type Command = {
  readonly [K in CommandKind]: { readonly kind: K; readonly id: bigint; readonly request: CommandRequest<K> };
}[CommandKind];

/**
 * Reads the command of a log entry.
 *
 * @returns the command, or undefined for one that this version does not know: every member must then skip it alike
 * @throws the decoder's error if the bytes are no `InternalRaftRequest`
 */
export function decodeCommand(data: Uint8Array): Command | undefined {
  const message = InternalRaftRequest.decode(data);
  const id = message.header?.ID ?? 0n;
  for (const kind of kinds) {
    const request = message[kind];
    if (request !== undefined) return { kind, id, request } as Command;
  }
  return undefined;
}
