/** @module The servers that client and recipes must not tell apart. */
import { etcdAbsence, startEtcd } from "./etcd-process.ts";
import { startMember } from "./member.ts";

/** A server to test against. */
export interface BackEndMember extends AsyncDisposable {
  /** Where it serves clients, as `127.0.0.1:port`. */
  readonly endpoint: string;
  /** Ends it and starts it again on the same address and data. */
  restart(): Promise<void>;
}

/** A kind of server. */
export interface BackEnd {
  /** What it is called in test names. */
  readonly name: string;
  /** Why it cannot be tested here; undefined if it can. */
  readonly absent: string | undefined;
  /** Starts one. */
  start(): Promise<BackEndMember>;
}

/** Every kind of server: a suite that runs on each proves that its subject runs unchanged on all of them. */
export function backEnds(): readonly BackEnd[] {
  return [
    { name: "an embedded member", absent: undefined, start: () => startMember() },
    { name: "etcd", absent: etcdAbsence(), start: () => startEtcd() },
  ];
}
