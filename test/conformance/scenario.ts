/**
 * @module Scenarios as data: what is sent, in which order, and under which names answers are kept for later steps.
 *
 * A scenario starts on an empty store: no keys, no leases, no alarms. `rev(n)` stands for the n-th revision since
 * then, `ref(name, field)` for a field of an earlier answer. A string stands for its bytes, one char per byte,
 * wherever the protocol wants bytes.
 */
import { type Codec, type MethodDefinition, services } from "@conclave/protocol";
import {
  AuthDefinition,
  ClusterDefinition,
  type Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  type DeleteRangeRequest,
  KVDefinition,
  LeaseDefinition,
  MaintenanceDefinition,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
  type WatchCreateRequest,
  WatchDefinition,
} from "@conclave/protocol/etcdserverpb";
import { ElectionDefinition } from "@conclave/protocol/v3electionpb";
import { LockDefinition } from "@conclave/protocol/v3lockpb";
import type { EtcdVersion } from "@conclave/testkit";

/** A number known only when the scenario runs. */
export type Marker =
  | { readonly marker: "rev"; readonly offset: number }
  | { readonly marker: "ref"; readonly name: string; readonly field: string };

/** The n-th revision after the one the scenario started at. */
export const rev = (offset: number): Marker => ({ marker: "rev", offset });

/** A field of the answer that was kept under a name, such as `ref("grant", "ID")` or `ref("win", "leader.rev")`. */
export const ref = (name: string, field: string): Marker => ({ marker: "ref", name, field });

/** A message as scenarios write it: every field optional, strings for bytes, markers for what is not known yet. */
export type Loose<T> = T extends Uint8Array
  ? string | Uint8Array | Marker
  : T extends bigint
    ? bigint | number | Marker
    : T extends number | string | boolean | undefined
      ? T
      : T extends readonly (infer Item)[]
        ? readonly Loose<Item>[]
        : T extends { readonly $case: string; readonly value: unknown }
          ? { readonly $case: T["$case"]; readonly value: Loose<T["value"]> }
          : { readonly [Field in keyof T]?: Loose<T[Field]> | Marker };

/** A method with its path. */
export interface Method {
  /** Such as `KV.Range`. */
  readonly name: string;
  /** Such as `/etcdserverpb.KV/Range`. */
  readonly path: string;
  readonly definition: MethodDefinition;
}

/** A unary call. */
export interface CallStep {
  readonly kind: "call";
  readonly method: Method;
  readonly request: object;
  /** The name its answer is kept under. */
  readonly as?: string;
  /** The token it is made with; default: none. */
  readonly token?: string | Marker;
}

/** How much of a stream is waited for. */
export interface Awaited {
  /** So many events, for a watch; or so many answers, for any other stream. */
  readonly events?: number;
  /** For a watch: so many answers without events (created, canceled, progress). */
  readonly controls?: number;
  /** The end of the stream. */
  readonly end?: boolean;
}

/** One step. What it shows is compared between the two servers. */
export type Step = StepKind & {
  /** The rows of docs/compatibility.md that say why a version of etcd shows something else here. */
  readonly differs?: Partial<Record<EtcdVersion, string>>;
};

type StepKind =
  | CallStep
  | { readonly kind: "raw"; readonly path: string; readonly bytes: Uint8Array }
  | { readonly kind: "start"; readonly name: string; readonly call: CallStep }
  | { readonly kind: "finish"; readonly name: string }
  | { readonly kind: "cancel"; readonly name: string }
  | { readonly kind: "eventually"; readonly call: CallStep; readonly field: string; readonly equals: unknown }
  | {
      readonly kind: "open";
      readonly name: string;
      readonly method: Method;
      readonly request?: object;
      readonly token?: string | Marker;
    }
  | { readonly kind: "send"; readonly name: string; readonly request: object }
  | { readonly kind: "receive"; readonly name: string; readonly awaited: Awaited; readonly as?: string }
  | { readonly kind: "end"; readonly name: string };

/** One case of the suite. */
export interface Scenario {
  readonly title: string;
  readonly steps: readonly Step[];
  /** Needs servers nothing has been done on: for checksums of the whole history. */
  readonly fresh?: boolean;
  /** The first version of etcd that there is anything to compare with; default: every one. */
  readonly since?: EtcdVersion;
  /** Compare the codes of errors but not their texts, which come from the transport. */
  readonly anyErrorText?: boolean;
}

/** Notes that a version of etcd shows something else at a step, and the row of docs/compatibility.md that says why. */
export const differing = (version: EtcdVersion, row: string, step: Step): Step => ({
  ...step,
  differs: { ...step.differs, [version]: row },
});

/** Makes a scenario. */
export function scenario(
  title: string,
  steps: readonly Step[],
  more: Omit<Scenario, "title" | "steps"> = {},
): Scenario {
  return { title, steps, ...more };
}

/** Notes that Conclave shows something else at a step than every etcd, and the row that says why. */
export const oursDiffers = (row: string, step: Step): Step => differing("3.5", row, differing("3.4", row, step));

function methodOf(definition: MethodDefinition): Method {
  const service = services.find(({ methods }) => Object.values(methods).includes(definition));
  if (service === undefined) throw new TypeError(`Cannot call as no service has the method "${definition.name}"`);
  return { name: `${service.name}.${definition.name}`, path: `/${service.fullName}/${definition.name}`, definition };
}

type RequestOf<Definition> = Definition extends { readonly requestType: Codec<infer Request> } ? Request : never;

function unary<Definition extends MethodDefinition>(
  definition: Definition,
): (request?: Loose<RequestOf<Definition>>, as?: string) => CallStep {
  const method = methodOf(definition);
  return (request = {} as Loose<RequestOf<Definition>>, as) => ({
    kind: "call",
    method,
    request: request as object,
    ...(as !== undefined && { as }),
  });
}

export const range = unary(KVDefinition.methods.range);
export const put = unary(KVDefinition.methods.put);
export const del = unary(KVDefinition.methods.deleteRange);
export const txn = unary(KVDefinition.methods.txn);
export const compact = unary(KVDefinition.methods.compact);
export const grant = unary(LeaseDefinition.methods.leaseGrant);
export const revoke = unary(LeaseDefinition.methods.leaseRevoke);
export const timeToLive = unary(LeaseDefinition.methods.leaseTimeToLive);
export const leases = unary(LeaseDefinition.methods.leaseLeases);
export const memberList = unary(ClusterDefinition.methods.memberList);
export const status = unary(MaintenanceDefinition.methods.status);
export const alarm = unary(MaintenanceDefinition.methods.alarm);
export const hash = unary(MaintenanceDefinition.methods.hash);
export const hashKv = unary(MaintenanceDefinition.methods.hashKV);
export const defragment = unary(MaintenanceDefinition.methods.defragment);
export const downgrade = unary(MaintenanceDefinition.methods.downgrade);
export const memberAdd = unary(ClusterDefinition.methods.memberAdd);
export const memberRemove = unary(ClusterDefinition.methods.memberRemove);
export const memberUpdate = unary(ClusterDefinition.methods.memberUpdate);
export const memberPromote = unary(ClusterDefinition.methods.memberPromote);
export const authEnable = unary(AuthDefinition.methods.authEnable);
export const authDisable = unary(AuthDefinition.methods.authDisable);
export const authStatus = unary(AuthDefinition.methods.authStatus);
export const authenticate = unary(AuthDefinition.methods.authenticate);
export const userAdd = unary(AuthDefinition.methods.userAdd);
export const userGet = unary(AuthDefinition.methods.userGet);
export const userList = unary(AuthDefinition.methods.userList);
export const userDelete = unary(AuthDefinition.methods.userDelete);
export const userChangePassword = unary(AuthDefinition.methods.userChangePassword);
export const userGrantRole = unary(AuthDefinition.methods.userGrantRole);
export const userRevokeRole = unary(AuthDefinition.methods.userRevokeRole);
export const roleAdd = unary(AuthDefinition.methods.roleAdd);
export const roleGet = unary(AuthDefinition.methods.roleGet);
export const roleList = unary(AuthDefinition.methods.roleList);
export const roleDelete = unary(AuthDefinition.methods.roleDelete);
export const roleGrantPermission = unary(AuthDefinition.methods.roleGrantPermission);
export const roleRevokePermission = unary(AuthDefinition.methods.roleRevokePermission);
export const moveLeader = unary(MaintenanceDefinition.methods.moveLeader);
export const lock = unary(LockDefinition.methods.lock);
export const unlock = unary(LockDefinition.methods.unlock);
export const campaign = unary(ElectionDefinition.methods.campaign);
export const proclaim = unary(ElectionDefinition.methods.proclaim);
export const leader = unary(ElectionDefinition.methods.leader);
export const resign = unary(ElectionDefinition.methods.resign);

/** Makes a call, or opens a stream, with the token of an `Authenticate` that was kept under a name. */
export const by = <S extends Step>(login: string, step: S): S => withToken(ref(login, "token"), step);
/** Makes a call, or opens a stream, with a token. */
export const withToken = <S extends Step>(token: string | Marker, step: S): S => ({ ...step, token });

const watchMethod = methodOf(WatchDefinition.methods.watch);
const keepAliveMethod = methodOf(LeaseDefinition.methods.leaseKeepAlive);
const observeMethod = methodOf(ElectionDefinition.methods.observe);
const snapshotMethod = methodOf(MaintenanceDefinition.methods.snapshot);

/** Calls any path with any bytes; only the status is of interest. */
export const raw = (path: string, bytes: Uint8Array = new Uint8Array()): Step => ({ kind: "raw", path, bytes });

/** Begins a call that may have to wait. */
export const start = (name: string, call: CallStep): Step => ({ kind: "start", name, call });
/** Waits for the answer of a call that was begun. */
export const finish = (name: string): Step => ({ kind: "finish", name });
/** Cancels a call that was begun, or a stream. */
export const cancel = (name: string): Step => ({ kind: "cancel", name });
/** Repeats a call until a field of its answer has a value; shows the last answer. */
export const eventually = (call: CallStep, field: string, equals: unknown): Step => ({
  kind: "eventually",
  call,
  field,
  equals,
});

/** Opens a watch stream. */
export const openWatch = (name = "w"): Step => ({ kind: "open", name, method: watchMethod });
/** Asks for a watcher on a stream. */
export const watch = (create: Loose<WatchCreateRequest>, name = "w"): Step => ({
  kind: "send",
  name,
  request: { requestUnion: { $case: "createRequest", value: create } },
});
/** Ends a watcher. */
export const cancelWatch = (watchId: bigint | number, name = "w"): Step => ({
  kind: "send",
  name,
  request: { requestUnion: { $case: "cancelRequest", value: { watchId } } },
});
/** Asks a watch stream how far it is. */
export const requestProgress = (name = "w"): Step => ({
  kind: "send",
  name,
  request: { requestUnion: { $case: "progressRequest", value: {} } },
});
/** Opens a keep-alive stream. */
export const openKeepAlive = (name = "k"): Step => ({ kind: "open", name, method: keepAliveMethod });
/** Renews a lease. */
export const keepAlive = (ID: bigint | number | Marker, name = "k"): Step => ({ kind: "send", name, request: { ID } });
/** Begins to observe an election. */
export const observe = (request: { readonly name: string }, name = "o"): Step => ({
  kind: "open",
  name,
  method: observeMethod,
  request,
});
/** Begins to read a snapshot. */
export const snapshot = (name = "s"): Step => ({ kind: "open", name, method: snapshotMethod, request: {} });
/** Waits for messages of a stream and shows them. */
export const receive = (awaited: Awaited, name = "w", as?: string): Step => ({
  kind: "receive",
  name,
  awaited,
  ...(as !== undefined && { as }),
});
/** Says on a stream that no more requests follow. */
export const end = (name: string): Step => ({ kind: "end", name });

/** The operations of a transaction. */
export const opRange = (value: Loose<RangeRequest>): Loose<RequestOp> => op("requestRange", value);
export const opPut = (value: Loose<PutRequest>): Loose<RequestOp> => op("requestPut", value);
export const opDelete = (value: Loose<DeleteRangeRequest>): Loose<RequestOp> => op("requestDeleteRange", value);
export const opTxn = (value: Loose<TxnRequest>): Loose<RequestOp> => op("requestTxn", value);

function op($case: string, value: object): Loose<RequestOp> {
  return { request: { $case, value } } as Loose<RequestOp>;
}

/** The results and targets of a comparison by their names. */
export type ResultName = keyof typeof Compare_CompareResult;
export type TargetName = keyof typeof Compare_CompareTarget;

const operandField: Readonly<Record<TargetName, string>> = {
  VERSION: "version",
  CREATE: "createRevision",
  MOD: "modRevision",
  VALUE: "value",
  LEASE: "lease",
};

/** A comparison, as `compare("MOD", "a", "EQUAL", rev(1))`. */
export function compare(
  target: TargetName,
  key: string,
  result: ResultName,
  operand: number | bigint | string | Marker,
  rangeEnd = "",
): Loose<Compare> {
  return {
    target: Compare_CompareTarget[target],
    result: Compare_CompareResult[result],
    key,
    rangeEnd,
    targetUnion: { $case: operandField[target], value: operand },
  } as Loose<Compare>;
}
