/**
 * @module Who may propose which command. Both sides of the log ask: the member that is asked, so that what is forbidden
 * never gets into the log, and every member that applies the entry, because permissions may have changed in between.
 */
import type { AuthStore, Caller } from "@conclave/auth";
import { binaryStringBytes, emptyBytes } from "@conclave/base";
import type { Lessor } from "@conclave/lease";
import {
  AlarmRequest_AlarmAction as AlarmAction,
  type DeleteRangeRequest,
  type PutRequest,
  type RequestOp,
  type TxnRequest,
} from "@conclave/protocol/etcdserverpb";
import type { CommandKind, CommandRequest } from "../apply/commands.ts";

/** The state that permissions follow from. */
export interface RuleState {
  readonly auth: AuthStore;
  readonly lessor: Lessor;
}

/** What a rule looks at. */
export type RuledCommand = {
  readonly [K in CommandKind]: { readonly kind: K; readonly request: CommandRequest<K> };
}[CommandKind];

/**
 * Holds a request against the permissions of its caller. Stricter than {@link authoriseEntry}, which has to come to
 * the same verdict as members of etcd do.
 *
 * @throws AuthError `USER_EMPTY`, `OLD_REVISION` or `PERMISSION_DENIED`
 */
export function authoriseRequest(state: RuleState, command: RuledCommand, caller: Caller): void {
  const { auth } = state;
  switch (command.kind) {
    case "leaseGrant":
      auth.checkUser(caller);
      return;
    case "leaseRevoke":
      auth.checkUser(caller);
      break;
    case "compaction":
      auth.checkAdmin(caller);
      return;
    case "alarm":
      if (command.request.action === AlarmAction.GET) auth.checkUser(caller);
      else auth.checkAdmin(caller);
      return;
    default:
      break;
  }
  authoriseEntry(state, command, caller);
}

/**
 * Holds an entry of the log against the permissions that its caller has when it is applied. What members propose by
 * themselves, such as alarms, is not asked about.
 *
 * @throws AuthError as {@link authoriseRequest}
 */
export function authoriseEntry(state: RuleState, command: RuledCommand, caller: Caller): void {
  const { auth } = state;
  switch (command.kind) {
    case "put":
      checkPut(state, command.request, caller);
      return;
    case "deleteRange":
      checkDeleteRange(state, command.request, caller);
      return;
    case "txn":
      checkTxn(state, command.request, caller);
      return;
    case "leaseRevoke":
      checkLeaseKeys(state, command.request.ID, caller);
      return;
    case "authUserGet":
      if (command.request.name === caller.username) auth.checkUser(caller);
      else auth.checkAdmin(caller);
      return;
    case "authRoleGet":
      auth.hasRole(caller.username, command.request.role) ? undefined : auth.checkAdmin(caller);
      return;
    case "compaction":
    case "leaseGrant":
    case "alarm":
    case "leaseCheckpoint":
    case "clusterVersionSet":
    case "clusterMemberAttrSet":
    case "authenticate":
      return;
    default:
      auth.checkAdmin(caller);
      return;
  }
}

/**
 * Holds every key that hangs on a lease against what a caller may write: whoever renews, revokes or joins a lease
 * decides how long they live.
 *
 * @throws AuthError as {@link authoriseRequest}
 */
export function checkLeaseKeys({ auth, lessor }: RuleState, lease: bigint, caller: Caller): void {
  if (!lessor.exists(lease)) return;
  for (const key of lessor.keysOf(lease))
    auth.checkKeys(caller, "write", { key: binaryStringBytes(key), rangeEnd: emptyBytes });
}

/**
 * Holds every operation of a transaction, in whichever branch and however deep, against the permissions of a caller:
 * even the outcome of a compare tells of a key.
 *
 * @throws AuthError as {@link authoriseRequest}
 */
export function checkTxn(state: RuleState, txn: TxnRequest, caller: Caller): void {
  for (const compare of txn.compare) state.auth.checkKeys(caller, "read", compare);
  for (const operation of txn.success) checkOperation(state, operation, caller);
  for (const operation of txn.failure) checkOperation(state, operation, caller);
}

function checkOperation(state: RuleState, { request: operation }: RequestOp, caller: Caller): void {
  switch (operation?.$case) {
    case "requestRange":
      state.auth.checkKeys(caller, "read", operation.value);
      return;
    case "requestPut":
      checkPut(state, operation.value, caller);
      return;
    case "requestDeleteRange":
      checkDeleteRange(state, operation.value, caller);
      return;
    case "requestTxn":
      checkTxn(state, operation.value, caller);
      return;
    case undefined:
      return;
  }
}

function checkPut(state: RuleState, { key, lease, prevKv }: PutRequest, caller: Caller): void {
  const keys = { key, rangeEnd: emptyBytes };
  state.auth.checkKeys(caller, "write", keys);
  if (lease !== 0n) checkLeaseKeys(state, lease, caller);
  if (prevKv) state.auth.checkKeys(caller, "read", keys);
}

function checkDeleteRange({ auth }: RuleState, request: DeleteRangeRequest, caller: Caller): void {
  auth.checkKeys(caller, "write", request);
  if (request.prevKv) auth.checkKeys(caller, "read", request);
}
