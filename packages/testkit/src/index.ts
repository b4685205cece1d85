export { type SyncCall, withoutSync } from "@conclave/wal";
export { type BackEnd, type BackEndMember, backEnds } from "./back-ends.ts";
export { type BackendUnderTest, describeBackend } from "./backend-contract.ts";
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
export { type VirtualTime, virtualTime } from "./virtual-time.ts";
