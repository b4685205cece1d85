export {
  type EtcdOptions,
  type EtcdProcess,
  type EtcdVersion,
  etcdAbsence,
  etcdAvailable,
  startEtcd,
} from "./etcd-process.ts";
