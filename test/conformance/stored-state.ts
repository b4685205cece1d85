/** @module Fills a server with some of everything, and asks it through etcd's own tools what it holds. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import type { EtcdVersion } from "@conclave/testkit";

/** Runs a program to its end. */
export const run = promisify(execFile);

/** The programs of a line of etcd. */
export function programs(version: EtcdVersion): { etcd: string; etcdctl: string; snapshotTool: string } {
  if (version === "3.4") return { etcd: "etcd", etcdctl: "etcdctl", snapshotTool: "etcdctl" };
  const directory = join(import.meta.dirname, "..", "..", "node_modules", ".cache", "etcd-3.5", "usr", "bin");
  const [etcd, etcdctl, snapshotTool] = ["etcd", "etcdctl", "etcdutl"].map((name) => join(directory, name));
  return { etcd: etcd ?? "", etcdctl: etcdctl ?? "", snapshotTool: snapshotTool ?? "" };
}

/** What a program prints as JSON. */
export async function json(program: string, ...parameters: readonly string[]): Promise<Record<string, unknown>> {
  const env = { ...process.env, ETCDCTL_API: "3" };
  const { stdout } = await run(program, [...parameters, "--write-out=json"], { env, maxBuffer: 64 * 2 ** 20 });
  // Numbers beyond what a double holds, such as ids, are not looked at.
  const parsed = JSON.parse(stdout);
  return Array.isArray(parsed) ? parsed[0] : parsed;
}

/** Calls a method through the HTTP gateway. */
export async function post(url: string, path: string, request: unknown): Promise<unknown> {
  const response = await fetch(`${url}/v3/${path}`, { method: "POST", body: JSON.stringify(request) });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return await response.json();
}

/** Bytes as the gateway takes them. */
export const base64 = (text: string) => Buffer.from(text).toString("base64");

/**
 * Some of everything: enough keys for branch pages, a value of several pages, deletions, leases, users, a compaction.
 *
 * @param batches - how many hundreds of keys, an even number
 */
export async function fill({ url }: { readonly url: string }, batches = 60): Promise<void> {
  await post(url, "lease/grant", { ID: "77", TTL: "6000" });
  for (let batch = 0; batch < batches; batch++) {
    const success = Array.from({ length: 100 }, (_, number) => ({
      request_put: { key: base64(`key ${batch}/${number}`), value: base64("value ".repeat(number)), lease: "77" },
    }));
    await post(url, "kv/txn", { success });
  }
  await post(url, "kv/put", { key: base64("large"), value: base64("x".repeat(1_000_000)) });
  await post(url, "kv/deleterange", { key: base64("key 3"), range_end: base64("key 4") });
  await post(url, "kv/compaction", { revision: String(batches / 2), physical: true });
  await post(url, "kv/put", { key: base64("last"), value: "" });
  await post(url, "auth/role/add", { name: "reader" });
  await post(url, "auth/user/add", { name: "root", password: "secret" });
}

/** The live keys as a member serves them. */
export async function servedKeys(etcdctl: string, url: string): Promise<string[]> {
  const { kvs } = (await json(etcdctl, `--endpoints=${url}`, "get", "", "--prefix")) as {
    kvs: { key: string; value?: string; lease?: number }[];
  };
  return kvs.map(({ key, value = "", lease = 0 }) => {
    const digest = createHash("sha1").update(Buffer.from(value, "base64")).digest("hex");
    return `${Buffer.from(key, "base64").toString("latin1")} ${digest} ${lease}`;
  });
}

/** The hash of the history of a member. */
export async function hashKv(etcdctl: string, url: string): Promise<unknown> {
  const { HashKV } = (await json(etcdctl, `--endpoints=${url}`, "endpoint", "hashkv")) as {
    HashKV: Record<string, unknown>;
  };
  return HashKV.hash;
}
