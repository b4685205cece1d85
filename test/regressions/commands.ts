import { utf8, utf8Text } from "@conclave/base";
import { CompactionRequest, DeleteRangeRequest, PutRequest, RangeRequest } from "@conclave/protocol/etcdserverpb";
import type { Member } from "@conclave/server";

/** Puts a key; resolves with the revision. */
export async function put(member: Member, key: string, value = "value"): Promise<number> {
  const { header } = await member.propose("put", PutRequest.fromPartial({ key: utf8(key), value: utf8(value) }));
  return header?.revision ?? 0;
}

/** Deletes a key; resolves with the revision. */
export async function remove(member: Member, key: string): Promise<number> {
  const { header } = await member.propose("deleteRange", DeleteRangeRequest.fromPartial({ key: utf8(key) }));
  return header?.revision ?? 0;
}

/** Compacts; resolves when it is scheduled, as the reply of the call does. */
export async function compact(member: Member, revision: number): Promise<void> {
  await member.propose("compaction", CompactionRequest.fromPartial({ revision: BigInt(revision) }));
}

/** The value of a key in the member's own store. */
export function valueIn(member: Member, key: string): string | undefined {
  const [kv] = member.store.range(RangeRequest.fromPartial({ key: utf8(key) })).kvs;
  return kv === undefined ? undefined : utf8Text(kv.value);
}

/** The HashKV of a member at a revision, 0 for the current one. */
export function hashKv(member: Member, revision = 0): number {
  const slices = member.store.hashKv(revision);
  for (;;) {
    const step = slices.next();
    if (step.done === true) return step.value.hash;
  }
}
