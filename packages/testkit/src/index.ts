export { type SyncCall, withoutSync } from "@conclave/wal";
export { type BackEnd, type BackEndMember, backEnds } from "./back-ends.ts";
export { type BackendUnderTest, describeBackend } from "./backend-contract.ts";
export {
  checkExclusion,
  type ExclusionInput,
  type ExclusionRule,
  type GuardedWrite,
  type Hold,
} from "./checkers/exclusion.ts";
export {
  checkHashAgreement,
  type HashAgreementOptions,
  type HashRule,
  type HashSample,
} from "./checkers/hash-agreement.ts";
export {
  formatHistory,
  HistoryError,
  type HistoryEvent,
  type HistoryOperation,
  HistoryRecorder,
  type InvokeOptions,
  operationsOf,
  parseHistory,
} from "./checkers/history.ts";
export type { KvEventsRule } from "./checkers/kv-events.ts";
export {
  checkKvLinearizability,
  type KvHistoryOperation,
  type KvLinearizabilityVerdict,
  kvHistoryOperationText,
  linearizabilityText,
} from "./checkers/kv-linearizability.ts";
export { type KvState, kvModel } from "./checkers/kv-model.ts";
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
} from "./checkers/kv-operation.ts";
export { checkKvOrder, type KvOrder, type KvOrderInput, type KvOrderRule } from "./checkers/kv-order.ts";
export { type KvRequest, type KvResponse, kvAnswer, kvEvent, kvItem, kvRequest } from "./checkers/kv-protocol.ts";
export type { TimelineStart } from "./checkers/kv-timeline.ts";
export type { KvWriter } from "./checkers/kv-writers.ts";
export { checkLeases, type LeaseInput, type LeaseRecord, type LeaseRule } from "./checkers/lease-guarantees.ts";
export {
  checkLinearizability,
  defaultStatesMax,
  type LinearizabilityOptions,
  type LinearizabilityVerdict,
  type LinearizabilityViolation,
  type Model,
} from "./checkers/linearizability.ts";
export { assertHolds, CheckFailed, type Verdict, type Violation, violationsMax } from "./checkers/verdict.ts";
export {
  checkWatch,
  type WatchInput,
  type WatchRecord,
  type WatchRequest,
  type WatchRule,
} from "./checkers/watch-guarantees.ts";
export { namespacesAbsence } from "./cluster-namespaces.ts";
export type { ClusterNetworkKind } from "./cluster-network.ts";
export {
  type AddMemberOptions,
  type ClusterMember,
  type ClusterOptions,
  type ClusterProcesses,
  type HereCommand,
  type MemberKind,
  type MemberProgram,
  type MemberRestartOptions,
  startCluster,
  type WaitForLeaderOptions,
} from "./cluster-process.ts";
export {
  type EmbeddedCluster,
  type EmbeddedClusterOptions,
  type EmbeddedMember,
  startEmbeddedCluster,
} from "./embedded-cluster.ts";
export {
  type EtcdOptions,
  type EtcdProcess,
  type EtcdVersion,
  etcdAbsence,
  etcdAvailable,
  etcdBinaryOrThrow,
  startEtcd,
} from "./etcd-process.ts";
export { type FileSystemSubject, fileSystemContract } from "./file-system-contract.ts";
export {
  type MemberProcess,
  type MemberProcessOptions,
  startMember,
  startMemberProcess,
  type TestMember,
  type TestMemberOptions,
} from "./member.ts";
export { seededRandom } from "./seeded-random.ts";
export {
  freePorts,
  launchServerProcess,
  type MemberPlacement,
  memberFlags,
  type RestartOptions,
  type ServerCommand,
  type ServerProcess,
  startServerProcess,
} from "./server-process.ts";
export { type DiskCall, type SimulatedDisk, type SimulatedDiskOptions, simulatedDisk } from "./simulated-disk.ts";
export type { Tear } from "./simulated-file.ts";
export { SimulatedMember, type SimulatedMemberOptions } from "./simulated-member.ts";
export {
  defaultFaults,
  type FaultKind,
  FaultSchedule,
  type FaultScheduleOptions,
} from "./simulation/fault-schedule.ts";
export { type FrontEnd, FrontEnds } from "./simulation/front-ends.ts";
export { fateOf, KvWorkload, type KvWorkloadOptions, sendKv } from "./simulation/kv-workload.ts";
export { type MachineClock, MachineTime, type ProcessTime } from "./simulation/machine-time.ts";
export { OwnershipWorkload, type OwnershipWorkloadOptions } from "./simulation/ownership-workload.ts";
export { type ObservedState, SafetyObserver, SafetyViolation } from "./simulation/safety-observer.ts";
export type { CallWorld } from "./simulation/simulated-call.ts";
export {
  type MemberFailure,
  type SimulatedClient,
  SimulatedCluster,
  type SimulatedClusterOptions,
} from "./simulation/simulated-cluster.ts";
export type { MachineState, SimulatedMachine } from "./simulation/simulated-machine.ts";
export {
  type Endpoint,
  type NetworkMachine,
  SimulatedNetwork,
  type SimulatedNetworkOptions,
} from "./simulation/simulated-network.ts";
export { simulatedTransport } from "./simulation/simulated-transport.ts";
export { Trace } from "./simulation/trace.ts";
export { RecordingWatcher, type RecordingWatcherOptions, watchSubject } from "./simulation/watch-workload.ts";
export { goodLink, type LinkSettings, type Parcel, type Route, type WireCounts, Wires } from "./simulation/wires.ts";
export { type VirtualTime, virtualTime } from "./virtual-time.ts";
