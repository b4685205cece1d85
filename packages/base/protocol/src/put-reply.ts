/**
 * @module The answer to a put, which is little more than a header, written by hand: the ids in it never change, so their
 * bytes are made once.
 *
 * ```
 *  0a len │ 08 cluster_id 10 member_id │ 18 revision 20 raft_term
 *         │ the same in every answer   │
 * ```
 */
import { ByteWriter, varint64Bytes, varintBytes } from "@conclave/base";
import { PutResponse, type ResponseHeader } from "./gen/etcdserverpb/rpc.ts";

const headerTag = 0x0a;
const revisionTag = 0x18;
const termTag = 0x20;

interface Ids {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly bytes: Uint8Array;
}

/** Those of the last answer. */
let ids: Ids = encodeIds({ clusterId: 0n, memberId: 0n });

/** Fields that are zero are left out. */
function encodeIds({ clusterId, memberId }: Pick<ResponseHeader, "clusterId" | "memberId">): Ids {
  const fields = [
    [0x08, clusterId],
    [0x10, memberId],
  ] as const;
  const written = fields.filter(([, id]) => id !== 0n);
  const bytes = new Uint8Array(written.reduce((sum, [, id]) => sum + 1 + varint64Bytes(id), 0));
  const writer = new ByteWriter(bytes);
  for (const [tag, id] of written) {
    writer.byte(tag);
    writer.varint64(id);
  }
  return { clusterId, memberId, bytes };
}

function fieldBytes(value: number): number {
  return value === 0 ? 0 : 1 + varintBytes(value);
}

function writeField(writer: ByteWriter, tag: number, value: number): void {
  if (value === 0) return;
  writer.byte(tag);
  writer.varint(value);
}

/**
 * The same bytes as `PutResponse.encode(response).finish()`, behind some that are left free.
 *
 * @param take - gives the memory
 * @returns undefined for an answer that says more than its header
 */
export function encodePutReply(
  { header, prevKv }: PutResponse,
  room: number,
  take: (bytes: number) => Uint8Array,
): Uint8Array | undefined {
  if (header === undefined || prevKv !== undefined) return undefined;
  const { clusterId, memberId, revision, raftTerm } = header;
  if (clusterId !== ids.clusterId || memberId !== ids.memberId) ids = encodeIds(header);
  const length = ids.bytes.length + fieldBytes(revision) + fieldBytes(raftTerm);
  const bytes = take(room + 2 + length);
  const writer = new ByteWriter(bytes, room);
  writer.byte(headerTag);
  writer.byte(length); // Four fields of at most eleven bytes.
  writer.raw(ids.bytes);
  writeField(writer, revisionTag, revision);
  writeField(writer, termTag, raftTerm);
  return bytes;
}

/** Whether a codec is that of {@link encodePutReply}. */
export function isPutReply(codec: { readonly $type: string }): boolean {
  return codec.$type === PutResponse.$type;
}
