import type {
  AuthDisableRequest,
  AuthDisableResponse,
  AuthEnableRequest,
  AuthEnableResponse,
  AuthRoleAddRequest,
  AuthRoleAddResponse,
  AuthRoleDeleteRequest,
  AuthRoleDeleteResponse,
  AuthRoleGetRequest,
  AuthRoleGetResponse,
  AuthRoleGrantPermissionRequest,
  AuthRoleGrantPermissionResponse,
  AuthRoleListRequest,
  AuthRoleListResponse,
  AuthRoleRevokePermissionRequest,
  AuthRoleRevokePermissionResponse,
  AuthStatusRequest,
  AuthStatusResponse,
  AuthUserAddRequest,
  AuthUserAddResponse,
  AuthUserChangePasswordRequest,
  AuthUserChangePasswordResponse,
  AuthUserDeleteRequest,
  AuthUserDeleteResponse,
  AuthUserGetRequest,
  AuthUserGetResponse,
  AuthUserGrantRoleRequest,
  AuthUserGrantRoleResponse,
  AuthUserListRequest,
  AuthUserListResponse,
  AuthUserRevokeRoleRequest,
  AuthUserRevokeRoleResponse,
} from "@conclave/protocol/etcdserverpb";

/** Every command of users and roles by its field in `InternalRaftRequest`, with its request and its result. */
export interface AuthCommands {
  /** Turns authentication on. */
  readonly authEnable: { readonly request: AuthEnableRequest; readonly response: AuthEnableResponse };
  /** Turns authentication off. */
  readonly authDisable: { readonly request: AuthDisableRequest; readonly response: AuthDisableResponse };
  /** Shows whether authentication is on. */
  readonly authStatus: { readonly request: AuthStatusRequest; readonly response: AuthStatusResponse };
  /** Adds a user. */
  readonly authUserAdd: { readonly request: AuthUserAddRequest; readonly response: AuthUserAddResponse };
  /** Deletes a user. */
  readonly authUserDelete: { readonly request: AuthUserDeleteRequest; readonly response: AuthUserDeleteResponse };
  /** Shows the roles of a user. */
  readonly authUserGet: { readonly request: AuthUserGetRequest; readonly response: AuthUserGetResponse };
  /** Sets a password. */
  readonly authUserChangePassword: {
    readonly request: AuthUserChangePasswordRequest;
    readonly response: AuthUserChangePasswordResponse;
  };
  /** Grants a role to a user. */
  readonly authUserGrantRole: {
    readonly request: AuthUserGrantRoleRequest;
    readonly response: AuthUserGrantRoleResponse;
  };
  /** Takes a role from a user. */
  readonly authUserRevokeRole: {
    readonly request: AuthUserRevokeRoleRequest;
    readonly response: AuthUserRevokeRoleResponse;
  };
  /** Shows all users. */
  readonly authUserList: { readonly request: AuthUserListRequest; readonly response: AuthUserListResponse };
  /** Shows all roles. */
  readonly authRoleList: { readonly request: AuthRoleListRequest; readonly response: AuthRoleListResponse };
  /** Adds a role. */
  readonly authRoleAdd: { readonly request: AuthRoleAddRequest; readonly response: AuthRoleAddResponse };
  /** Deletes a role. */
  readonly authRoleDelete: { readonly request: AuthRoleDeleteRequest; readonly response: AuthRoleDeleteResponse };
  /** Shows the permissions of a role. */
  readonly authRoleGet: { readonly request: AuthRoleGetRequest; readonly response: AuthRoleGetResponse };
  /** Adds a permission to a role. */
  readonly authRoleGrantPermission: {
    readonly request: AuthRoleGrantPermissionRequest;
    readonly response: AuthRoleGrantPermissionResponse;
  };
  /** Takes a permission from a role. */
  readonly authRoleRevokePermission: {
    readonly request: AuthRoleRevokePermissionRequest;
    readonly response: AuthRoleRevokePermissionResponse;
  };
}

/** The name of a command of users and roles. */
export type AuthCommandKind = keyof AuthCommands;

/** A command of users and roles. */
export type AuthCommand = {
  readonly [K in AuthCommandKind]: { readonly kind: K; readonly request: AuthCommands[K]["request"] };
}[AuthCommandKind];

/** The result of any command of users and roles. */
export type AuthResponse = AuthCommands[AuthCommandKind]["response"];
