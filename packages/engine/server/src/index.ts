export type { MemberConfig, MemberConfigInput } from "./config.ts";
export type { Log, LogFields } from "./log.ts";
export { silentLog } from "./log.ts";
// For the simulation and for front ends of one's own.
export { Member, openMember } from "./member.ts";
export { MemberError, type MemberErrorCode } from "./member-error.ts";
export type { MemberPorts, MemberSettings } from "./member-settings.ts";
export { bindServices, type Server, type ServerOptions, startServer } from "./server.ts";
