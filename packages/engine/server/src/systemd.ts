/**
 * @module Tells systemd how the service is. Node has no datagram sockets of the kind that systemd listens on, so its own
 * tool is run; from a service that is not root it is heard only with `NotifyAccess=all`.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Log } from "./log.ts";

const run = promisify(execFile);
/** A member that is told to stop is to be gone soon, whoever does not answer. */
const timeoutMs = 1000;

/** What can be said: that the service serves, or that it is about to stop. */
export type SystemdState = keyof typeof variables;

// As variables, for older versions of the tool have no flag for each.
const variables = { ready: "READY=1", stopping: "STOPPING=1" } as const;

/** What telling systemd takes. */
export interface NotifySystemdOptions {
  /** The environment of the process; without `NOTIFY_SOCKET` in it nobody listens and nothing is done. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told if systemd could not be. */
  readonly log: Log;
}

/** Tells systemd how the service is. A failure is logged: it is systemd that judges a service of which it hears nothing. */
export async function notifySystemd(state: SystemdState, { environment, log }: NotifySystemdOptions): Promise<void> {
  if ((environment.NOTIFY_SOCKET ?? "") === "") return;
  try {
    await run("systemd-notify", [`--pid=${process.pid}`, variables[state]], {
      env: { ...environment },
      timeout: timeoutMs,
    });
  } catch (error) {
    log.warn("cannot tell systemd how the service is", { state, error: (error as Error).message });
  }
}
