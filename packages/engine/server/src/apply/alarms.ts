/** @module The alarms of the cluster, replicated through the log and kept in the bucket `alarm`. */
import { type Backend, emptyBytes } from "@conclave/base";
import { AlarmMember, type AlarmType } from "@conclave/protocol/etcdserverpb";

/** The alarms that are on. */
export interface Alarms {
  /** All of them, or those of one type, ordered by member. */
  list(type?: AlarmType): AlarmMember[];
  /** Whether any alarm is on. */
  readonly anyActive: boolean;
  /** Whether any member has raised this alarm. */
  isActive(type: AlarmType): boolean;
  /** Raises an alarm; raising it again changes nothing. */
  activate(member: bigint, type: AlarmType): AlarmMember;
  /** Ends an alarm; returns it, or undefined if it was not on. */
  deactivate(member: bigint, type: AlarmType): AlarmMember | undefined;
  /** Reads the alarms of a store whose content was replaced. */
  reload(): void;
}

/** Opens the alarms that a store holds. */
export function createAlarms(backend: Backend): Alarms {
  const active = new Map<string, AlarmMember>();
  const nameOf = (member: bigint, type: AlarmType): string => `${type}/${member}`;
  const bytesOf = (alarm: AlarmMember): Uint8Array => AlarmMember.encode(alarm).finish();

  function reload(): void {
    active.clear();
    for (const [key] of backend.scan("alarm")) {
      const alarm = AlarmMember.decode(key);
      active.set(nameOf(alarm.memberID, alarm.alarm), alarm);
    }
  }

  reload();
  return {
    list(type) {
      const alarms = [...active.values()].filter((alarm) => type === undefined || alarm.alarm === type);
      return alarms.sort((left, right) => (left.memberID < right.memberID ? -1 : 1));
    },
    get anyActive() {
      return active.size > 0;
    },
    isActive: (type) => [...active.values()].some((alarm) => alarm.alarm === type),
    activate(memberID, alarm) {
      const raised = { memberID, alarm };
      const name = nameOf(memberID, alarm);
      if (!active.has(name)) {
        active.set(name, raised);
        backend.put("alarm", bytesOf(raised), emptyBytes);
      }
      return raised;
    },
    deactivate(memberID, type) {
      const name = nameOf(memberID, type);
      const alarm = active.get(name);
      if (alarm === undefined) return undefined;
      active.delete(name);
      backend.delete("alarm", bytesOf(alarm));
      return alarm;
    },
    reload,
  };
}
