export {
  checkExclusion,
  type ExclusionInput,
  type ExclusionRule,
  type GuardedWrite,
  type Hold,
} from "./exclusion.ts";
export {
  checkHashAgreement,
  type HashAgreementOptions,
  type HashRule,
  type HashSample,
} from "./hash-agreement.ts";
export {
  formatHistory,
  HistoryError,
  type HistoryEvent,
  type HistoryOperation,
  HistoryRecorder,
  type InvokeOptions,
  operationsOf,
  parseHistory,
} from "./history.ts";
export type { KvEventsRule } from "./kv-events.ts";
export {
  checkKvLinearizability,
  type KvHistoryOperation,
  type KvLinearizabilityVerdict,
  kvHistoryOperationText,
  linearizabilityText,
} from "./kv-linearizability.ts";
export { type KvState, kvModel } from "./kv-model.ts";
export {
  compareAndSwap,
  eventKey,
  eventRevision,
  type KvAnswer,
  type KvCompare,
  type KvDelete,
  type KvEvent,
  type KvGet,
  type KvItem,
  type KvOperation,
  type KvPut,
  type KvRange,
  type KvResult,
  type KvRevoke,
  type KvSortTarget,
  type KvTxn,
  type KvTxnOperation,
} from "./kv-operation.ts";
export { checkKvOrder, type KvOrder, type KvOrderInput, type KvOrderRule } from "./kv-order.ts";
export {
  type KvMethod,
  type KvRequest,
  type KvResponse,
  type KvServices,
  kvAnswer,
  kvEvent,
  kvItem,
  kvRequest,
  sendOperation,
} from "./kv-protocol.ts";
export type { TimelineStart } from "./kv-timeline.ts";
export type { KvWriter } from "./kv-writers.ts";
export { checkLeases, type LeaseInput, type LeaseRecord, type LeaseRule } from "./lease-guarantees.ts";
export {
  checkLinearizability,
  defaultStatesMax,
  type LinearizabilityOptions,
  type LinearizabilityVerdict,
  type LinearizabilityViolation,
  type Model,
} from "./linearizability.ts";
export { assertHolds, CheckFailed, type Verdict, type Violation, violationsMax } from "./verdict.ts";
export {
  checkWatch,
  type WatchInput,
  type WatchRecord,
  type WatchRequest,
  type WatchRule,
} from "./watch-guarantees.ts";
