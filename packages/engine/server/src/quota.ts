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
  /** Raises the alarm if what was applied has filled the store: other members let their writes pass by their own size. */
  onGrowth(): void;
}

/** The part of a member that is looked at. */
export type QuotaMember = Pick<Member, "id" | "alarms" | "backend" | "propose" | "ports">;

/** What a key costs beside its own bytes, roughly, as etcd reckons. */
const overheadBytes = 256;

/** Creates the quota of a member; `Infinity` bytes is none. */
export function createQuota(member: QuotaMember, quotaBytes: number): Quota {
  let raising: Promise<void> | undefined;

  function isFull(bytes: number): boolean {
    const { backend } = member;
    return backend.size().totalBytes + backend.pending.bytes + bytes >= quotaBytes;
  }

  /** Writes that come at once raise it once. */
  function raise(): Promise<void> {
    raising ??= member
      .propose("alarm", { action: AlarmAction.ACTIVATE, memberID: member.id, alarm: AlarmType.NOSPACE })
      .then(() => member.ports.log.warn("the store is full: the alarm NOSPACE is on", { "quota-bytes": quotaBytes }))
      .finally(() => {
        raising = undefined;
      });
    return raising;
  }

  async function refuse(): Promise<never> {
    if (!member.alarms.isActive(AlarmType.NOSPACE)) await raise();
    throw new WireError("NoSpace");
  }

  return {
    admit: (bytes) => (isFull(bytes + overheadBytes) ? refuse() : undefined),
    onGrowth: () => {
      if (!isFull(0) || raising !== undefined || member.alarms.isActive(AlarmType.NOSPACE)) return;
      // Without a leader nothing grows; the next write is another occasion.
      raise().catch((error: unknown) => member.ports.log.warn("NOSPACE was not raised", { error: String(error) }));
    },
  };
}
