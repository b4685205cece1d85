import { runGenerator } from "../generator.ts";
import type { Load } from "../load.ts";

type Operation = "put" | "get" | "watch";

/** Our client beside the npm package `etcd3`, one after the other on the same server: the ratio of what they do. */
function beside(name: string, ours: "conclave" | "conclave-http2", operation: Operation, atLeast: number): Load {
  return {
    name,
    unit: "sdk / etcd3",
    better: "higher",
    target: { of: "figure", value: atLeast },
    async measure({ url }) {
      const theirs = await runGenerator("client-library", url, "etcd3", operation);
      const own = await runGenerator("client-library", url, ours, operation);
      return { value: own.value / theirs.value };
    },
  };
}

/** The loads of client libraries. */
export const clientLibraryLoads: readonly Load[] = [
  beside("sdk-put", "conclave", "put", 1.1),
  beside("sdk-get", "conclave", "get", 1.1),
  beside("sdk-watch", "conclave", "watch", 2),
  beside("sdk-http2-put", "conclave-http2", "put", 2),
  beside("sdk-http2-get", "conclave-http2", "get", 2),
  beside("sdk-http2-watch", "conclave-http2", "watch", 2),
];
