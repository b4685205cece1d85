import type { MemberConfig } from "../config.ts";
import type { Log } from "../log.ts";
import { SlowLog } from "../logging/slow-log.ts";
import { systemClock } from "../system-ports.ts";
import type { ApplyWatch } from "./instruments.ts";

/** Has commands that took long to apply told in the log: what they were, nothing of what they contained. */
export function createApplyWatch({ warningApplyDuration }: MemberConfig, log: Log): ApplyWatch {
  const slow = new SlowLog(log, systemClock);
  const expected = `${warningApplyDuration}ms`;
  return {
    slowApplyMs: warningApplyDuration,
    onSlowApply: (command, tookMs) =>
      slow.warn("applying a command took long", { command, took: `${tookMs.toFixed(3)}ms`, expected }),
  };
}
