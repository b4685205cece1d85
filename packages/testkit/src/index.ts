// What judges a run has a package of its own, as it is wanted without the rest.
export {
  assertHolds,
  CheckFailed,
  checkExclusion,
  checkHashAgreement,
  checkKvLinearizability,
  checkKvOrder,
  checkLeases,
  checkLinearizability,
  checkWatch,
  compareAndSwap,
  defaultStatesMax,
  type ExclusionInput,
  type ExclusionRule,
  eventKey,
  eventRevision,
  formatHistory,
  type GuardedWrite,
  type HashAgreementOptions,
  type HashRule,
  type HashSample,
  HistoryError,
  type HistoryEvent,
  type HistoryOperation,
  HistoryRecorder,
  type Hold,
  type InvokeOptions,
  type KvAnswer,
  type KvCompare,
  type KvDelete,
  type KvEvent,
  type KvEventsRule,
  type KvGet,
  type KvHistoryOperation,
  type KvItem,
  type KvLinearizabilityVerdict,
  type KvOperation,
  type KvOrder,
  type KvOrderInput,
  type KvOrderRule,
  type KvPut,
  type KvRange,
  type KvRequest,
  type KvResponse,
  type KvResult,
  type KvRevoke,
  type KvSortTarget,
  type KvState,
  type KvTxn,
  type KvTxnOperation,
  type KvWriter,
  kvAnswer,
  kvEvent,
  kvHistoryOperationText,
  kvItem,
  kvModel,
  kvRequest,
  type LeaseInput,
  type LeaseRecord,
  type LeaseRule,
  type LinearizabilityOptions,
  type LinearizabilityVerdict,
  type LinearizabilityViolation,
  linearizabilityText,
  type Model,
  operationsOf,
  parseHistory,
  type TimelineStart,
  type Verdict,
  type Violation,
  violationsMax,
  type WatchInput,
  type WatchRecord,
  type WatchRequest,
  type WatchRule,
} from "@conclave/checkers";
export { type SyncCall, withoutSync } from "@conclave/wal";
export { type BackEnd, type BackEndMember, backEnds } from "./back-ends.ts";
export { type BackendUnderTest, describeBackend } from "./backend-contract.ts";
export {
  createTestAuthority,
  type IssuedCertificate,
  type IssueOptions,
  type TestAuthority,
} from "./certificates.ts";
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
export { type DnsRecords, type DnsServer, startDnsServer } from "./dns-server.ts";
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
export { freePorts } from "./free-ports.ts";
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
