/** @module Conclave members for tests: inside the test's process, or as a process of their own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type MemberConfigInput, type Server, type ServerOptions, startServer } from "@conclave/server";
import { freePorts } from "./free-ports.ts";
import { memberFlags, type ServerProcess, startServerProcess } from "./server-process.ts";

/** How to start a member. */
export interface TestMemberOptions extends ServerOptions {
  /** More configuration; name, data directory and URLs are chosen here. Default: none. */
  readonly config?: MemberConfigInput;
}

/** A member inside this process. Disposing of it stops it and removes its data. */
export interface TestMember extends AsyncDisposable {
  /** Where it serves clients, as `127.0.0.1:port`. */
  readonly endpoint: string;
  /** The same as a URL. */
  readonly url: string;
  /** Its data directory, a temporary one. */
  readonly dataDir: string;
  /** The running server; another one after {@link TestMember.restart}. */
  readonly server: Server;
  /** Stops it and starts it again on the same port and data. */
  restart(): Promise<void>;
}

/**
 * Starts a member inside this process, on a free loopback port with a temporary data directory.
 *
 * @example
 * ```ts
 * await using member = await startMember();
 * const client = createClient({ endpoints: [member.endpoint] });
 * ```
 */
export async function startMember(options: TestMemberOptions = {}): Promise<TestMember> {
  const { config, dataDir, endpoint, url } = await testConfig(options.config);
  const serverOptions: ServerOptions = options.log === undefined ? {} : { log: options.log };
  let server = await startServer(config, serverOptions);
  return {
    endpoint,
    url,
    dataDir,
    get server() {
      return server;
    },
    async restart() {
      await server.stop();
      server = await startServer(config, serverOptions);
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function testConfig(more: MemberConfigInput = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), "conclave-"));
  const [clientPort, peerPort] = await freePorts(2);
  const endpoint = `127.0.0.1:${clientPort}`;
  const url = `http://${endpoint}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const config: MemberConfigInput = {
    name: "conclave",
    dataDir,
    listenClientUrls: [url],
    advertiseClientUrls: [url],
    listenPeerUrls: [peerUrl],
    initialAdvertisePeerUrls: [peerUrl],
    ...more,
  };
  return { config, dataDir, endpoint, url };
}

/** How to start a member as a process. */
export interface MemberProcessOptions {
  /** More command line flags, such as `["--snapshot-count=100"]`; default: none. */
  readonly flags?: readonly string[];
}

/** A member in a process of its own. Disposing of it kills it and removes its data. */
export interface MemberProcess extends ServerProcess, AsyncDisposable {
  /** Where it serves clients, as `127.0.0.1:port`. */
  readonly endpoint: string;
  /** The same as a URL. */
  readonly url: string;
  /** Its data directory, a temporary one. */
  readonly dataDir: string;
}

/**
 * The command of the repository.
 *
 * @internal
 */
export const conclaveBinary: string = join(import.meta.dirname, "..", "..", "..", "bin", "conclave");

/**
 * Starts `bin/conclave` as a process, on free loopback ports with a temporary data directory. It runs the built
 * sources, so build first.
 *
 * @throws Error if it ends early or does not serve within 30 s; its log is in the message
 */
export async function startMemberProcess(options: MemberProcessOptions = {}): Promise<MemberProcess> {
  const dataDir = await mkdtemp(join(tmpdir(), "conclave-"));
  const [clientPort, peerPort] = await freePorts(2);
  const endpoint = `127.0.0.1:${clientPort}`;
  const url = `http://${endpoint}`;
  const flags = memberFlags({
    name: "conclave",
    dataDir,
    clientUrl: url,
    peerUrl: `http://127.0.0.1:${peerPort}`,
  });
  const server = await startServerProcess({
    name: "conclave",
    binary: conclaveBinary,
    args: [...flags, ...(options.flags ?? [])],
    url,
  });
  return Object.assign(server, {
    endpoint,
    url,
    dataDir,
    async [Symbol.asyncDispose]() {
      await server.kill();
      await rm(dataDir, { recursive: true, force: true });
    },
  });
}
