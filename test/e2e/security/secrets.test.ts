/**
 * @module Passwords, tokens, private keys and values are nowhere but where they belong: everything that commands print,
 * log, answer to refused calls and tell of themselves is searched for marked ones.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { inspect } from "node:util";
import { createClient } from "@conclave/client";
import { createTestAuthority, freePorts, startMember } from "@conclave/testkit";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDriver, type Driver } from "../../conformance/grpc-driver.ts";
import { Conclave, makePlace, type Place } from "../conclave.ts";
import { startGatewayProcess, startGrpcProxyProcess } from "../proxies.ts";
import { recordedLog } from "../recorded-log.ts";
import { bytes, messageOf, methodNamed } from "./guarded-member.ts";
import { Marks } from "./marks.ts";

const conclavectl = join(import.meta.dirname, "..", "..", "..", "bin", "conclavectl");
const marks = new Marks();
const password = marks.make("the password of root");
const annsPassword = marks.make("the password of ann");
const value = marks.make("a value");

interface Run {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** Runs conclavectl, and gives back what it prints to tell of failures. */
async function ctl(args: readonly string[], { env = {}, stdin = "" }: Run = {}): Promise<string> {
  const child = spawn(conclavectl, args, { env: { PATH: process.env.PATH, ...env } });
  child.stdin.on("error", () => undefined).end(stdin);
  const [, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return err;
}

/** The lines of a PEM file that are its key. */
function keyLines(pem: string): readonly string[] {
  return pem.split("\n").filter((line) => line.length > 20 && !line.startsWith("-"));
}

/** What is printed must be something, and hold no secret. */
function expectNoSecret(printed: string): void {
  expect(printed.length).toBeGreaterThan(20);
  expect.soft(marks.in(printed)).toEqual([]);
}

/** A member with every flag that a secret stands behind, and what it and others have told so far. */
class MarkedMember implements AsyncDisposable {
  readonly place: Place;
  readonly url: string;
  readonly #process: Conclave;
  readonly #logFile: string;
  /** Answers to refused calls, and all else that was told. */
  told = "";

  private constructor(place: Place, run: { readonly process: Conclave; readonly logFile: string }) {
    this.place = place;
    this.url = `http://${place.endpoint}`;
    this.#process = run.process;
    this.#logFile = run.logFile;
  }

  static async start(place: Place, flags: readonly string[]): Promise<MarkedMember> {
    const logFile = join(place.directory, "member.log");
    const verbose = ["--log-level=debug", `--log-outputs=stderr,${logFile}`, "--metrics=extensive"];
    const slow = ["--warning-unary-request-duration=1ns", "--warning-apply-duration=1ns"];
    const founding = place.flags.filter((flag) => !flag.startsWith("--initial-cluster="));
    const process = await new Conclave([...founding, ...verbose, ...slow, ...flags]).ready();
    return new MarkedMember(place, { process, logFile });
  }

  /** Makes a call, and keeps what is said if it is refused. */
  async ask(driver: Driver, call: Call): Promise<void> {
    const [name, request, token] = call;
    const method = methodNamed(name);
    const metadata: Record<string, string> = token === undefined ? {} : { token };
    const outcome = await driver.call(method, messageOf(method, request), metadata).outcome;
    if (outcome.kind === "failure") this.told += `${outcome.text}\n`;
  }

  /** Makes a call of the gateway, or of any other path. */
  async fetch(path: string, init: RequestInit = {}): Promise<void> {
    const response = await fetch(`${this.url}${path}`, init);
    const body = await response.text();
    if (response.status !== 200 || path === "/metrics") this.told += `${[...response.headers].join()} ${body}\n`;
  }

  /** Makes a call that fails, and keeps the error with all that hangs on it. */
  async fail(call: () => Promise<unknown>): Promise<void> {
    const error: unknown = await call().then(
      () => new Error("it did not fail"),
      (reason: unknown) => reason,
    );
    this.told += `${String(error)} ${inspect(error, { depth: 10, showHidden: true })}\n`;
  }

  /** Ends it, and gives back all that it has printed. */
  async stop(): Promise<string> {
    const { stdout, stderr } = await this.#process.signal("SIGTERM");
    return `${stdout}${stderr}${await readFile(this.#logFile, "utf8")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await this.place[Symbol.asyncDispose]();
  }
}

type Call = readonly [method: string, request: object, token?: string];

const key = bytes("k");
const marked = bytes(value);
const put = (more: object = {}) => ({ key, value: marked, ...more });
const op = ($case: string, request: object) => ({ request: { $case, value: request } });
const equalsValue = { key, result: 0, target: 3, targetUnion: { $case: "value", value: marked } };

/** Writes and questions with values in them: good ones, and all kinds of refused ones. */
const calls: readonly Call[] = [
  ["KV.Put", put()],
  ["KV.Put", put({ prevKv: true })],
  ["KV.Range", { key }],
  ["KV.Txn", { compare: [equalsValue], success: [op("requestPut", put())], failure: [op("requestPut", put())] }],
  ["KV.Txn", { success: [op("requestPut", put()), op("requestPut", put())] }],
  ["KV.Txn", { success: Array(200).fill(op("requestPut", put())) }],
  ["KV.Put", put({ ignoreValue: true })],
  ["KV.Put", put({ lease: 404n })],
  ["KV.Put", { value: marked }],
  ["KV.Put", put({ value: bytes(value.repeat(100_000)) })],
  ["Lease.LeaseGrant", { ID: 7n, TTL: 600n }],
  ["KV.Put", put({ lease: 7n })],
  ["KV.DeleteRange", { key: bytes("none"), prevKv: true }],
  ["Lock.Lock", { name: key, lease: 404n }],
  ["Election.Campaign", { name: key, value: marked, lease: 404n }],
  ["Election.Proclaim", { leader: { name: key, key, rev: 1n, lease: 7n }, value: marked }],
  ["Auth.UserAdd", { name: "root", password }],
  ["Auth.UserAdd", { name: "root", password }],
  ["Auth.UserAdd", { name: "", password }],
  ["Auth.UserAdd", { name: "ann", password: annsPassword }],
  ["Auth.UserAdd", { name: "long", password: marks.make("a password that is too long", { syllables: 13 }) }],
  ["Auth.UserAdd", { name: "raw", hashedPassword: marks.make("a hash of a client") }],
  ["Auth.UserChangePassword", { name: "none", password }],
  ["Auth.UserGrantRole", { user: "root", role: "root" }],
  ["Auth.Authenticate", { name: "root", password }],
  ["Auth.AuthEnable", {}],
  ["Auth.Authenticate", { name: "root", password: marks.make("a wrong password") }],
  ["Auth.Authenticate", { name: "none", password: marks.make("a password of nobody") }],
  ["Auth.Authenticate", { name: "ann", password: annsPassword }],
  ["KV.Put", put()],
  ["KV.Put", put(), marks.make("a made-up token")],
  ["KV.Put", put(), `${marks.make("the head of a token")}.7`],
];

/** Bodies that the gateway cannot read, or refuses. */
const bodies: readonly string[] = [
  `{"key":"${value}`,
  `{"key":"aw==","value":${value}}`,
  `{"key":"aw==","value":"${value}!"}`,
  `{"key":"aw==","value":{"is":"${value}"}}`,
  `{"key":"aw==","value":["${value}"]}`,
  `{"key":"aw==","${value}":"aw=="}`,
  `{"key":"aw==","lease":"${value}"}`,
  `{"key":"aw==","lease":404,"value":"${Buffer.from(value).toString("base64")}"}`,
  `${value}`,
  `"${value}"`,
];
const loginBodies = [
  JSON.stringify({ name: "root", password: marks.make("a wrong password over the gateway") }),
  `{"name":"root","password":${password}}`,
  `{"name":"root","password":["${password}"]}`,
  `{"name":"root","password":"${password}`,
  `{"name":"root","password":"${password}\\x"}`,
];

/** Sends bytes that are no request, with secrets in them; resolves with what is answered. */
async function sendRaw(endpoint: string, request: string): Promise<string> {
  const [host = "", port = ""] = endpoint.split(":");
  const socket = connect(Number(port), host);
  socket.on("error", () => undefined).end(request);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => void chunks.push(chunk));
  await new Promise((resolve) => socket.on("close", resolve));
  return Buffer.concat(chunks).toString("latin1");
}

describe("a member with every secret there is", () => {
  let member: MarkedMember;
  let token: string;
  const discoveryLog = recordedLog();

  beforeAll(async () => {
    await using discovery = await startMember({ config: { bcryptCost: 4 }, log: discoveryLog.log });
    const discoveryPassword = marks.make("the password at the discovery service");
    await furnishDiscovery(discovery.endpoint, discoveryPassword);
    const place = await makePlace();
    const authority = await createTestAuthority(place.directory);
    const { certFile, keyFile, key: pem } = await authority.issue("member");
    for (const line of keyLines(pem)) marks.add("the private key", line);
    const secretFile = join(place.directory, "jwt.secret");
    await writeFile(secretFile, marks.make("the secret of the tokens"));
    const [securePort, metricsPort] = await freePorts(2);
    const peerUrl = place.flags.find((flag) => flag.startsWith("--listen-peer-urls="))?.replace(/^.*:/, "");
    member = await MarkedMember.start(place, [
      `--listen-client-urls=http://${place.endpoint},https://127.0.0.1:${securePort}`,
      `--listen-metrics-urls=http://127.0.0.1:${metricsPort}`,
      ...[`--cert-file=${certFile}`, `--key-file=${keyFile}`, `--trusted-ca-file=${authority.certFile}`],
      ...[`--peer-cert-file=${certFile}`, `--peer-key-file=${keyFile}`],
      ...[
        `--listen-peer-urls=https://127.0.0.1:${peerUrl}`,
        `--initial-advertise-peer-urls=https://127.0.0.1:${peerUrl}`,
      ],
      ...["--client-cert-auth", "--bcrypt-cost=4", `--auth-token=jwt,sign-method=HS256,priv-key=${secretFile},ttl=1h`],
      ...["--discovery-token=token", `--discovery-endpoints=${discovery.endpoint}`],
      `--discovery-user=member:${discoveryPassword}`,
    ]);
  });
  afterAll(() => member[Symbol.asyncDispose]());

  test("tells nothing of them to callers", async () => {
    const driver = createDriver(member.place.endpoint);
    for (const call of calls) await member.ask(driver, call);
    token = await logIn(member, driver);
    const forged = new SignJWT({ username: "root", revision: 1 }).setProtectedHeader({ alg: "HS256" });
    const foreign = marks.add("a foreign token", await forged.setExpirationTime("1h").sign(Buffer.from("another")));
    for (const each of [token, `${token}x`, foreign, marks.make("a token that is none")])
      for (const [name, request] of calls.slice(0, 16)) await member.ask(driver, [name, request, each]);
    driver.close();
    expectNoSecret(member.told);
  });

  test("nor over the gateway and on other paths", async () => {
    for (const body of bodies)
      for (const authorization of [token, marks.make("a token over the gateway")])
        await member.fetch("/v3/kv/put", { method: "POST", body, headers: { authorization } });
    for (const body of loginBodies) await member.fetch("/v3/auth/authenticate", { method: "POST", body });
    const headers = { authorization: token, cookie: value };
    for (const path of [
      "/metrics",
      "/health",
      "/debug/vars",
      "/debug/pprof/",
      "/config/local/log",
      "/nowhere",
      "/v2/keys/k",
    ])
      await member.fetch(`${path}?token=${token}&value=${value}`, { headers });
    for (const request of [
      `PUT /v3/kv/put HTTP/1.1\r\nhost: x\r\nauthorization: ${token}\r\ncontent-length: ${value}\r\n\r\n`,
      `POST /v3/kv/put HTTP/1.1\r\nhost: x\r\nauthorization ${token}\r\n\r\n${value}`,
      `GET / HTTP/1.1\r\nhost: x\r\nx: ${value.repeat(20_000)}\r\n\r\n`,
      `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${value.repeat(10)}`,
      value,
    ])
      member.told += await sendRaw(member.place.endpoint, request);
    expectNoSecret(member.told);
  });

  test("nor in the errors of the client", async () => {
    await using unreachable = createClient({ endpoints: "127.0.0.1:1", timeoutMs: 300 });
    await member.fail(() => unreachable.put("k", value));
    const wrong = { username: "nobody", password: marks.make("a wrong password of a client") };
    await using stranger = createClient({ endpoints: member.url, credentials: wrong, timeoutMs: 1_000 });
    await member.fail(() => stranger.put("k", value));
    await using client = createClient({ endpoints: member.url, credentials: { username: "root", password } });
    await using watcher = client.watch("k", { prevKv: true });
    await watcher.ready();
    await client.put("k", value);
    for await (const batch of watcher) if (batch.kind === "events") break;
    await using refused = stranger.watch("k");
    await member.fail(() => refused.ready());
    await member.fail(() => client.put("k", value, { lease: 404n }));
    await member.fail(() => client.put("k", value.repeat(100_000)));
    await member.fail(() => client.auth.userAdd("root", { password }));
    await member.fail(() => client.raw.kv.put({ key: value, value: 7 } as never));
    const noPassword = { username: "root", password: [password] } as never;
    await member.fail(async () => createClient({ endpoints: member.url, credentials: noPassword }));
    await member.fail(async () => createClient({ endpoints: `http://root:${password}@127.0.0.1:1` }));
    expectNoSecret(member.told);
  });

  test("nor in front of proxies, which print nothing of them either", async () => {
    await using gateway = await startGatewayProcess([`--endpoints=${member.place.endpoint}`]);
    await using proxy = await startGrpcProxyProcess([`--endpoints=${member.place.endpoint}`]);
    for (const { endpoint } of [gateway, proxy]) {
      const driver = createDriver(endpoint);
      for (const [name, request] of calls) await member.ask(driver, [name, request, token]);
      for (const call of calls.slice(-7)) await member.ask(driver, call);
      driver.close();
    }
    expectNoSecret(`${member.told}${gateway.log}${proxy.log}`);
  });

  test("nor by conclavectl", async () => {
    const at = `--endpoints=${member.place.endpoint}`;
    const login = `--user=root:${password}`;
    const wrong = marks.make("a wrong password of conclavectl");
    const runs: readonly (readonly [args: readonly string[], run?: Run])[] = [
      [[at, `--user=nobody-1:${wrong}`, "put", "k", value]],
      [[at, "--user=nobody-2", `--password=${wrong}`, "get", "k"]],
      [[at, "get", "k"], { env: { ETCDCTL_USER: "nobody-3", ETCDCTL_PASSWORD: wrong } }],
      [[at, "get", "k"], { env: { ETCDCTL_USER: `nobody-4:${wrong}`, ETCDCTL_PASSWORD: wrong } }],
      [["--endpoints=127.0.0.1:1", "--command-timeout=300ms", login, "put", "k", value]],
      [[at, login, "--debug", "put", "k", value, "--lease=194"]],
      [[at, login, "put", "k", value, `--leese=${value}`]],
      [[at, login, "user", "add", `root:${password}`]],
      [[at, login, "user", "add", "root", `--new-user-password=${password}`]],
      [[at, login, "user", "passwd", "none", "--interactive=false"], { stdin: `${password}\n` }],
      [[at, `--password=${password}`, "get", "k"]],
      [
        [
          at,
          login,
          "make-mirror",
          "127.0.0.1:1",
          `--dest-user=root:${wrong}`,
          "--command-timeout=300ms",
          "--max-txn-ops=x",
        ],
      ],
      [[at, `--user=${password}:`, `--usr=root:${password}`, "get", "k"]],
    ];
    let told = "";
    for (const [args, run] of runs) told += await ctl(args, run);
    expect(told.match(/^Error: /gm)?.length).toBeGreaterThan(8);
    expectNoSecret(told);
  });

  test("and has printed and logged nothing of them, and keeps no password", async () => {
    const printed = await member.stop();
    for (const warning of ["a call took long", "applying a command took long", "a login failed", "discovery"])
      expect(printed).toContain(warning);
    expectNoSecret(printed);
    expectNoSecret(discoveryLog.text());
    const files = await readdir(member.place.dataDir, { withFileTypes: true, recursive: true });
    for (const file of files.filter((each) => each.isFile())) {
      const content = await readFile(join(file.parentPath, file.name));
      for (const secret of [password, annsPassword]) expect(content.includes(secret), file.name).toBe(false);
    }
  });
});

async function furnishDiscovery(endpoint: string, secret: string): Promise<void> {
  await using client = createClient({ endpoints: endpoint });
  await client.put("/_etcd/registry/token/_config/size", "1");
  await client.auth.userAdd("root", { password: secret });
  await client.auth.userGrantRole("root", "root");
  await client.auth.userAdd("member", { password: secret });
  await client.auth.userGrantRole("member", "root");
  await client.auth.enable();
}

async function logIn(member: MarkedMember, driver: Driver): Promise<string> {
  const method = methodNamed("Auth.Authenticate");
  const { outcome } = driver.call(method, messageOf(method, { name: "root", password }), {});
  const answer = await outcome;
  if (answer.kind === "failure") throw new Error(`root could not log in: ${answer.text}\n${member.told}`);
  const { token } = answer.message as { readonly token: string };
  marks.add("the end of a token", token.slice(-20));
  return marks.add("a token", token);
}
