/** @module What a member refuses to start with: Conclave refuses what etcd refuses, and says why in one line. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type MemberConfigInput, startServer } from "@conclave/server";
import { type EtcdVersion, etcdAbsence, etcdBinaryOrThrow, freePorts, launchServerProcess } from "@conclave/testkit";
import { describe, expect, test } from "vitest";
import { type WrongCommandLine, wrongCommandLines } from "./wrong-command-lines.ts";

interface Start {
  /** The advertised URL, which is also listened on. */
  readonly url: string;
  /** A URL where nobody listens. */
  readonly other: string;
}

interface Refusal {
  readonly config: (start: Start) => MemberConfigInput;
  /** What the line must name. */
  readonly names: (start: Start) => readonly string[];
}

const port = (url: string): string => url.slice(url.lastIndexOf(":"));

const refusals: Readonly<Record<string, Refusal>> = {
  "its own name is missing": {
    config: ({ url }) => ({ initialCluster: `b=${url}` }),
    names: ({ url }) => ["--initial-cluster", `b=${url}`, "'a'"],
  },
  "the cluster was told another URL": {
    config: ({ other }) => ({ initialCluster: `a=${other}` }),
    names: ({ url, other }) => ["--initial-cluster", url, "--initial-advertise-peer-urls", other],
  },
  "the cluster was told one URL more": {
    config: ({ url, other }) => ({ initialCluster: `a=${url},a=${other}` }),
    names: ({ url, other }) => ["--initial-cluster", url, other, "--initial-advertise-peer-urls"],
  },
  "localhost, which is not the address to the others": {
    config: ({ url }) => ({ initialCluster: `a=http://localhost${port(url)}` }),
    names: ({ url }) => ["--initial-cluster", `http://localhost${port(url)}`, "--initial-advertise-peer-urls", url],
  },
  "two members have the same URL": {
    config: ({ url }) => ({ initialCluster: `a=${url},b=${url}` }),
    names: ({ url }) => ["--initial-cluster", url, "twice"],
  },
  "an entry has no URL": {
    config: () => ({ initialCluster: "a" }),
    names: () => ["--initial-cluster", "'a'"],
  },
  "an entry has no port": {
    config: () => ({ initialCluster: "a=http://127.0.0.1" }),
    names: () => ["--initial-cluster", "http://127.0.0.1", "host:port"],
  },
  "an entry has a path": {
    config: ({ url }) => ({ initialCluster: `a=${url}/` }),
    names: ({ url }) => ["--initial-cluster", `${url}/`, "path"],
  },
  "an entry has no scheme": {
    config: () => ({ initialCluster: "a=127.0.0.1:2380" }),
    names: () => ["--initial-cluster", "127.0.0.1:2380"],
  },
  "it is to join a cluster that nobody knows": {
    config: ({ url, other }) => ({ initialCluster: `a=${url},b=${other}`, initialClusterState: "existing" }),
    names: ({ other }) => [other],
  },
  "it is to join a cluster of itself": {
    config: ({ url }) => ({ initialCluster: `a=${url}`, initialClusterState: "existing" }),
    names: () => ["--initial-cluster"],
  },
  "the state of the cluster is neither new nor existing": {
    config: () => ({ initialClusterState: "old" }) as never,
    names: () => ["new or existing"],
  },
};

async function inDirectory<R>(use: (start: Start & { readonly base: MemberConfigInput }) => Promise<R>): Promise<R> {
  const dataDir = await mkdtemp(join(tmpdir(), "refusals-"));
  const [clientPort, peerPort, otherPort] = await freePorts(3);
  const url = `http://127.0.0.1:${peerPort}`;
  const clientUrl = `http://127.0.0.1:${clientPort}`;
  const peers = { listenPeerUrls: url, initialAdvertisePeerUrls: url };
  const clients = { listenClientUrls: clientUrl, advertiseClientUrls: clientUrl };
  try {
    return await use({
      url,
      other: `http://127.0.0.1:${otherPort}`,
      base: { name: "a", dataDir, ...peers, ...clients },
    });
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

function flagsOf(config: MemberConfigInput): string[] {
  return Object.entries(config).map(
    ([key, value]) => `--${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}=${value}`,
  );
}

async function expectEtcdRefuses(version: EtcdVersion, refusal: Refusal): Promise<void> {
  await inDirectory(async ({ base, ...start }) => {
    const args = flagsOf({ ...base, ...refusal.config(start) });
    const etcd = launchServerProcess({ name: "etcd", binary: etcdBinaryOrThrow(version), args, url: start.url });
    try {
      await etcd.ended();
      expect(etcd.exit, etcd.log).toBeGreaterThan(0);
    } finally {
      await etcd.kill();
    }
  });
}

describe("a member refuses to start when", () => {
  describe.each(Object.entries(refusals))("%s", (_, refusal) => {
    test("with a line that names it", () =>
      inDirectory(async ({ base, ...start }) => {
        const error: unknown = await startServer({ ...base, ...refusal.config(start) }).then(
          (server) => server.stop(),
          (reason: unknown) => reason,
        );
        expect(error).toMatchObject({ name: "MemberError" });
        const { message } = error as Error;
        expect(message).not.toContain("\n");
        for (const name of refusal.names(start)) expect(message).toContain(name);
      }));

    for (const version of ["3.4", "3.5"] as const) {
      const absent = etcdAbsence(version);
      test.skipIf(absent)(`as etcd ${version} does ${absent ?? ""}`, () => expectEtcdRefuses(version, refusal));
    }
  });
});

interface Ending {
  readonly status: number | null;
  readonly stderr: string;
  /** What `$FILE` stood for. */
  readonly file: string;
}

/** A member that starts after all is ended; it has no status then. */
const startMsMax = 20_000;

/** Runs a server with a wrong command line, in a directory of its own. */
async function runWrongly(binary: string, { args, env, file }: WrongCommandLine): Promise<Ending> {
  const cwd = await mkdtemp(join(tmpdir(), "wrong-"));
  const path = join(cwd, "config.yaml");
  try {
    if (file !== undefined) await writeFile(path, file);
    const child = spawn(
      binary,
      args.map((arg) => arg.replace("$FILE", path)),
      { cwd, env: { PATH: process.env.PATH, ...env }, timeout: startMsMax, killSignal: "SIGKILL" },
    );
    let stderr = "";
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    const [status] = await once(child, "close");
    return { status, stderr, file: path };
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

function titleOf({ args, env = {}, file = "" }: WrongCommandLine): string {
  return [...Object.entries(env).map((variable) => variable.join("=")), ...args, file.trimEnd()].join(" ").trim();
}

const conclave = join(import.meta.dirname, "..", "..", "bin", "conclave");

describe.each(wrongCommandLines.map((line) => ({ title: titleOf(line), line })))("$title", ({ line }) => {
  test("is refused with one line that names option and value", async () => {
    const { status, stderr, file } = await runWrongly(conclave, line);
    expect(status, stderr).toBe(1);
    const lines = stderr
      .trimEnd()
      .split("\n")
      .map((text) => JSON.parse(text));
    expect(lines).toEqual([expect.objectContaining({ level: "error", msg: expect.any(String) })]);
    for (const name of line.names) expect(lines[0].msg).toContain(name.replace("$FILE", file));
  });

  for (const version of ["3.4", "3.5"] as const) {
    if (line.takenBy?.includes(version)) continue;
    const absent = etcdAbsence(version);
    test.skipIf(absent)(`is refused by etcd ${version} too ${absent ?? ""}`, async () => {
      const { status, stderr } = await runWrongly(etcdBinaryOrThrow(version), line);
      expect(status, stderr).toBeGreaterThan(0);
    });
  }
});
