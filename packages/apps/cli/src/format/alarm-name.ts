import { AlarmType } from "@conclave/protocol/etcdserverpb";

/** The name of an alarm, or its number if a newer server knows more of them. */
export function alarmName(alarm: number): string {
  return Object.entries(AlarmType).find(([, value]) => value === alarm)?.[0] ?? String(alarm);
}
