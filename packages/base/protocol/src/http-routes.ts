/** @module The paths under which etcd's JSON gateway serves the methods of the API. All are asked by POST. */

/** Paths by service, below `/v3`, and the method of each. */
const rows: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "etcdserverpb.KV": {
    "/kv/range": "Range",
    "/kv/put": "Put",
    "/kv/deleterange": "DeleteRange",
    "/kv/txn": "Txn",
    "/kv/compaction": "Compact",
  },
  "etcdserverpb.Watch": { "/watch": "Watch" },
  "etcdserverpb.Lease": {
    "/lease/grant": "LeaseGrant",
    "/lease/revoke": "LeaseRevoke",
    "/kv/lease/revoke": "LeaseRevoke",
    "/lease/keepalive": "LeaseKeepAlive",
    "/lease/timetolive": "LeaseTimeToLive",
    "/kv/lease/timetolive": "LeaseTimeToLive",
    "/lease/leases": "LeaseLeases",
    "/kv/lease/leases": "LeaseLeases",
  },
  "etcdserverpb.Cluster": {
    "/cluster/member/add": "MemberAdd",
    "/cluster/member/remove": "MemberRemove",
    "/cluster/member/update": "MemberUpdate",
    "/cluster/member/list": "MemberList",
    "/cluster/member/promote": "MemberPromote",
  },
  "etcdserverpb.Maintenance": {
    "/maintenance/alarm": "Alarm",
    "/maintenance/status": "Status",
    "/maintenance/defragment": "Defragment",
    "/maintenance/hash": "Hash",
    "/maintenance/hashkv": "HashKV",
    "/maintenance/snapshot": "Snapshot",
    "/maintenance/transfer-leadership": "MoveLeader",
    "/maintenance/downgrade": "Downgrade",
  },
  "etcdserverpb.Auth": {
    "/auth/enable": "AuthEnable",
    "/auth/disable": "AuthDisable",
    "/auth/status": "AuthStatus",
    "/auth/authenticate": "Authenticate",
    "/auth/user/add": "UserAdd",
    "/auth/user/get": "UserGet",
    "/auth/user/list": "UserList",
    "/auth/user/delete": "UserDelete",
    "/auth/user/changepw": "UserChangePassword",
    "/auth/user/grant": "UserGrantRole",
    "/auth/user/revoke": "UserRevokeRole",
    "/auth/role/add": "RoleAdd",
    "/auth/role/get": "RoleGet",
    "/auth/role/list": "RoleList",
    "/auth/role/delete": "RoleDelete",
    "/auth/role/grant": "RoleGrantPermission",
    "/auth/role/revoke": "RoleRevokePermission",
  },
  "v3lockpb.Lock": { "/lock/lock": "Lock", "/lock/unlock": "Unlock" },
  "v3electionpb.Election": {
    "/election/campaign": "Campaign",
    "/election/proclaim": "Proclaim",
    "/election/leader": "Leader",
    "/election/observe": "Observe",
    "/election/resign": "Resign",
  },
};

/** The method, as in `/etcdserverpb.KV/Put`, by the path under which it is served as JSON, as in `/v3/kv/put`. */
export const httpRoutes: ReadonlyMap<string, string> = new Map(
  Object.entries(rows).flatMap(([service, methods]) =>
    Object.entries(methods).map(([path, method]) => [`/v3${path}`, `/${service}/${method}`] as const),
  ),
);
