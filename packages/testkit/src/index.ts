export { type SyncCall, withoutSync } from "@conclave/wal";
export { type BackEnd, type BackEndMember, backEnds } from "./back-ends.ts";
export { type BackendUnderTest, describeBackend } from "./backend-contract.ts";
export { HistoryRecorder, operationsOf } from "./checkers/history.ts";
export { checkKvLinearizability, linearizabilityText } from "./checkers/kv-linearizability.ts";
export type { KvAnswer, KvEvent, KvOperation } from "./checkers/kv-operation.ts";
export { checkKvOrder } from "./checkers/kv-order.ts";
export type { Verdict } from "./checkers/verdict.ts";
export { checkWatch } from "./checkers/watch-guarantees.ts";
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
export { type MachineClock, MachineTime } from "./simulation/machine-time.ts";
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
