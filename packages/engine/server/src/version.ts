/** Conclave's own version. */
export const conclaveVersion = "0.1.0";

/** The level of the etcd API that is spoken, as clients and tools see it. */
export const etcdApiVersion = "3.6.0";

/** The API level as it is agreed on in a cluster: without the patch. */
export const clusterApiVersion = "3.6.0";
