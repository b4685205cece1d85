/**
 * @module The proxies beside etcd's own: etcdctl prints of Conclave's, standing before an etcd, what it prints of etcd's
 * that stands before another one.
 */
import { join } from "node:path";
import { createClient, prefix } from "@conclave/client";
import {
  etcdAbsence,
  freePorts,
  launchServerProcess,
  type ServerProcess,
  startEtcd,
  startServerProcess,
} from "@conclave/testkit";
import { describe, expect, it } from "vitest";
import { type CtlScript, ctlScripts } from "./ctl-scripts.ts";
import { type CtlShown, runCtlScript } from "./run-ctl.ts";

const absent = etcdAbsence("3.4");
const conclave = join(import.meta.dirname, "..", "..", "bin", "conclave");
const programs = ["etcd", conclave] as const;

type ProxyKind = "grpc-proxy" | "gateway";

interface Proxy extends AsyncDisposable {
  readonly endpoint: string;
  readonly process: ServerProcess;
}

interface ProxyOptions {
  readonly kind: ProxyKind;
  /** The server behind it. */
  readonly server: { readonly endpoint: string };
  /** More of its flags. */
  readonly flags?: readonly string[];
}

/** Between being found free and being taken, a port may go to another process. */
const attemptsMax = 5;

async function startProxy(binary: string, options: ProxyOptions): Promise<Proxy> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startProxyOnFreePorts(binary, options);
    } catch (error) {
      if (attempt === attemptsMax || !String(error).includes("address already in use")) throw error;
    }
  }
}

async function startProxyOnFreePorts(binary: string, options: ProxyOptions): Promise<Proxy> {
  const { endpoint, command } = await commandOf(binary, options);
  const process = await startServerProcess(command);
  return { endpoint, process, [Symbol.asyncDispose]: () => process.kill() };
}

async function commandOf(binary: string, { kind, server, flags = [] }: ProxyOptions) {
  const [port, metricsPort] = await freePorts(2);
  const endpoint = `127.0.0.1:${port}`;
  const metricsUrl = `http://127.0.0.1:${metricsPort}`;
  const own = kind === "gateway" ? [] : [`--advertise-client-url=${endpoint}`, `--metrics-addr=${metricsUrl}`];
  const args = [kind, "start", `--listen-addr=${endpoint}`, `--endpoints=${server.endpoint}`, ...own, ...flags];
  const url = kind === "gateway" ? `http://${endpoint}` : metricsUrl;
  return { endpoint, command: { name: kind, binary, args, url } };
}

/** What a script shows behind a proxy that stands before an etcd of its own. */
async function shownBehind(binary: string, kind: ProxyKind, script: CtlScript): Promise<CtlShown[]> {
  await using server = await startEtcd();
  await using proxy = await startProxy(binary, { kind, server });
  return await runCtlScript({ binary: "etcdctl", endpoint: proxy.endpoint }, script);
}

/** Where etcdctl comes to an untimely end, it is told with addresses of its memory. */
const isOfStack = (line: string): boolean => /^(\t|goroutine |[\w./*()-]+\(.*\)$)/.test(line);
/** Conclave's passes on what a member says of a watch that it refuses; etcd's finds words of its own. */
const withoutStatus = (line: string): string => line.replace(/rpc error: code = \w+ desc = /, "");

function comparable({ stderr, ...shown }: CtlShown): CtlShown {
  return { ...shown, stderr: stderr.filter((line) => !isOfStack(line)).map(withoutStatus) };
}

async function compare(kind: ProxyKind, script: CtlScript): Promise<void> {
  const [expected, actual] = await Promise.all(programs.map((binary) => shownBehind(binary, kind, script)));
  expect(actual?.map(comparable)).toEqual(expected?.map(comparable));
}

/** etcd's proxy lets such a question go unanswered; see docs/proxies.md. */
const unansweredByEtcd = "watch interactively and ask how far it is";
const compared = ctlScripts.filter(({ title }) => title !== unansweredByEtcd);
/** A gateway knows nothing of what passes through it: one script of each kind of call shows as much as all. */
const throughGateway = ["put", "watch interactively", "lease keep-alive", "lock and run a command", "member", "auth"];
const titled = (scripts: readonly CtlScript[]) => scripts.map((script) => [script.title, script] as const);

describe.skipIf(absent)(`etcdctl behind ${absent ?? ""}`, () => {
  it.each(titled(compared))("conclave grpc-proxy prints what it prints behind etcd's: %s", (_title, script) =>
    compare("grpc-proxy", script),
  );

  it.each(titled(ctlScripts.filter(({ title }) => throughGateway.includes(title))))(
    "conclave gateway prints what it prints behind etcd's: %s",
    (_title, script) => compare("gateway", script),
  );

  it("conclave grpc-proxy is told how far a watch is, as without a proxy", async () => {
    const script = ctlScripts.filter(({ title }) => title === unansweredByEtcd)[0] ?? { title: "", steps: [] };
    await using direct = await startEtcd();
    const expected = await runCtlScript({ binary: "etcdctl", endpoint: direct.endpoint }, script);
    expect((await shownBehind(conclave, "grpc-proxy", script)).map(comparable)).toEqual(expected.map(comparable));
  });

  it("a proxy with --resolver-prefix is not registered where there are users, and lists itself", async () => {
    await using server = await startEtcd();
    await using client = createClient({ endpoints: [server.endpoint] });
    await client.raw.auth.userAdd({ name: "root", password: "secret" });
    await client.raw.auth.userGrantRole({ user: "root", role: "root" });
    await client.raw.auth.authEnable();
    const flags = ["--resolver-prefix=___proxies", "--resolver-ttl=5"];
    for (const binary of programs) {
      // Where there are users, etcd's says of itself that it is not healthy.
      const { endpoint, command } = await commandOf(binary, { kind: "grpc-proxy", server, flags });
      const proxy = launchServerProcess(command);
      try {
        await expect.poll(() => proxy.log, { timeout: 20_000 }).toContain("etcdserver: user name is empty");
        const credentials = { username: "root", password: "secret" };
        await using through = createClient({ endpoints: [endpoint], credentials });
        const { members } = await through.raw.cluster.memberList({});
        expect(members.map(({ clientURLs }) => clientURLs)).toEqual([[endpoint]]);
        expect((await through.range(prefix("___proxies/"))).kvs).toEqual([]);
      } finally {
        await proxy.kill();
      }
    }
  });
});
