export type { HashOptions, JobOptions, Passwords } from "./auth/passwords.ts";
export type { JwtAlgorithm, JwtKeys } from "./auth/token-options.ts";
export type { MemberConfig, MemberConfigInput } from "./config.ts";
export type { DomainNames, SrvRecord } from "./discovery/srv.ts";
export type { Log, LogFields } from "./log.ts";
export { silentLog } from "./log.ts";
// For the simulation and for front ends of one's own.
export { Member } from "./member.ts";
export { MemberError, type MemberErrorCode } from "./member-error.ts";
export type { MemberPorts, MemberSettings } from "./member-settings.ts";
export { openMember } from "./open-member.ts";
export { type AuthPorts, bindServices, type Server, type ServerOptions, startServer } from "./server.ts";
export { restoreDataDir } from "./snapshot/restore-data-dir.ts";
export type { RestoreOptions, RestoreReport } from "./snapshot/snapshot-restore.ts";
