import { WireError } from "@conclave/protocol";
import { AlarmRequest_AlarmAction as AlarmAction, AlarmType } from "@conclave/protocol/etcdserverpb";
import type { Member } from "./member.ts";

/** Keeps the store below its size. */
export interface Quota {
  /**
   * Lets a write pass, or raises the alarm NOSPACE and refuses it.
   *
   * @param bytes - of the keys and values to be written
   * @throws WireError `NoSpace` if the store would grow beyond its quota
   */
  admit(bytes: number): Promise<void> | undefined;
}

/** What a key costs beside its own bytes, roughly, as etcd reckons. */
const overheadBytes = 256;

/** Creates the quota of a member; `Infinity` bytes is none. */
export function createQuota(member: Member, quotaBytes: number): Quota {
  async function refuse(): Promise<never> {
    if (!member.alarms.isActive(AlarmType.NOSPACE)) {
      await member.propose("alarm", { action: AlarmAction.ACTIVATE, memberID: member.id, alarm: AlarmType.NOSPACE });
    }
    throw new WireError("NoSpace");
  }
  return {
    admit: (bytes) => {
      const afterBytes = member.backend.size().totalBytes + member.backend.pending.bytes + bytes + overheadBytes;
      return afterBytes > quotaBytes ? refuse() : undefined;
    },
  };
}
