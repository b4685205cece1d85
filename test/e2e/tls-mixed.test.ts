import { createClient } from "@conclave/client";
import { etcdAbsence } from "@conclave/testkit";
import { expect, test } from "vitest";
import { startTlsCluster } from "./tls-cluster.ts";

const absent = etcdAbsence("3.5");
test.skipIf(absent)(
  `members of Conclave and of etcd 3.5 share a cluster that speaks TLS only ${absent ?? ""}`,
  async () => {
    await using cluster = await startTlsCluster({ kinds: ["conclave", "etcd", "conclave"] });
    const { ca, clientCert, clientKey } = cluster.files;
    const tls = { ca: { path: ca }, cert: { path: clientCert }, key: { path: clientKey } };
    await using client = createClient({ endpoints: cluster.endpoints, tls });
    for (const endpoint of cluster.endpoints) {
      await using one = createClient({ endpoints: endpoint, tls });
      await one.put("at", endpoint);
    }
    await cluster.renew(cluster.authority);
    for (const member of cluster.members) {
      await member.kill("SIGTERM");
      await member.restart();
      await client.put("after", member.name);
    }
    const { revision } = await client.range("after");
    const hashes = await Promise.all(
      cluster.endpoints.map(async (endpoint) => (await client.maintenance.hashKv({ endpoint, revision })).hash),
    );
    expect(new Set(hashes).size).toBe(1);
  },
);
