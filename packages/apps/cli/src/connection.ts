import { readFileSync } from "node:fs";
import {
  type CallMetadata,
  type Client,
  type ClientTransport,
  createClient,
  createGrpcTransport,
  isConclaveError,
  type TlsOptions,
  withCredentials,
} from "@conclave/client";
import { nextLine, readLines } from "./commands/lines.ts";
import { discoverEndpoints } from "./discovery.ts";
import { CommandError, exitCodes } from "./exit.ts";
import type { GlobalFlags } from "./global-flags.ts";
import type { Io } from "./io.ts";

/** The servers say what is too much for them, in etcd's words. */
const noLimits = { txnOps: Number.POSITIVE_INFINITY, requestBytes: Number.POSITIVE_INFINITY };

/** The way to the servers that the user named. */
export interface Connection {
  /** A client of them. */
  readonly client: Client;
  /** The connections that it uses. */
  readonly transport: ClientTransport;
  /** The addresses of the servers, in the client's form. */
  readonly addresses: readonly string[];
}

/**
 * Prepares the way to the servers and, with `--user`, logs in. Without it, connects on first use.
 *
 * @throws CommandError if the options contradict each other or a file cannot be read
 */
export async function openConnection(flags: GlobalFlags, io: Io): Promise<Connection> {
  const endpoints = flags.discoverySrv === "" ? flags.endpoints : await discoverEndpoints(flags);
  if (endpoints.length === 0) throw new CommandError(exitCodes.badConnection, "no available endpoints");
  const addresses = endpoints.map((endpoint) => addressOf(endpoint, flags));
  const { authJwtToken } = flags;
  const plain = withMetadata(openTransport(flags), authJwtToken === "" ? {} : { token: authJwtToken });
  const transport = flags.user === "" || authJwtToken !== "" ? plain : await logIn(plain, { addresses, flags, io });
  const client = createClient({ endpoints: addresses, timeoutMs: flags.commandTimeout, transport, limits: noLimits });
  return { client, transport, addresses };
}

/** An endpoint in the client's form: with TLS wanted, what has no scheme is `https`. */
export function addressOf(endpoint: string, flags: GlobalFlags): string {
  return wantsTls(flags) && !/^unixs?:|:\/\//.test(endpoint) ? `https://${endpoint}` : endpoint;
}

function wantsTls({ cacert, cert, insecureTransport }: GlobalFlags): boolean {
  return cacert !== "" || cert !== "" || !insecureTransport;
}

function openTransport(flags: GlobalFlags): ClientTransport {
  const tls = readTls(flags);
  const { dialTimeout: connectTimeoutMs, keepaliveTime: keepaliveTimeMs, keepaliveTimeout: keepaliveTimeoutMs } = flags;
  try {
    return createGrpcTransport({ tls, connectTimeoutMs, keepaliveTimeMs, keepaliveTimeoutMs });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(exitCodes.badArguments, reason, { cause: error });
  }
}

function readTls(flags: GlobalFlags): TlsOptions {
  const { cacert, cert, key, insecureSkipTlsVerify, insecureDiscovery, discoverySrv } = flags;
  if ((cert === "") !== (key === ""))
    throw new CommandError(
      exitCodes.badArguments,
      `KeyFile and CertFile must both be present[key: ${key}, cert: ${cert}]`,
    );
  return {
    ca: readFile(cacert),
    cert: readFile(cert),
    key: readFile(key),
    insecureSkipVerify: insecureSkipTlsVerify,
    // Whom records name that anybody may have written must show a certificate of the domain.
    serverName: insecureDiscovery || discoverySrv === "" ? undefined : discoverySrv,
  };
}

function readFile(path: string): Uint8Array | undefined {
  if (path === "") return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const reason = missing ? "no such file or directory" : error instanceof Error ? error.message : String(error);
    throw new CommandError(exitCodes.badArguments, `open ${path}: ${reason}`, { cause: error });
  }
}

/** A transport that sends more along with every call. */
function withMetadata(transport: ClientTransport, extra: CallMetadata): ClientTransport {
  const enrich = <Call extends { readonly metadata: CallMetadata }>(call: Call): Call => ({
    ...call,
    metadata: { ...call.metadata, ...extra },
  });
  return {
    unary: (call) => transport.unary(enrich(call)),
    stream: (call, sink) => transport.stream(enrich(call), sink),
    close: () => transport.close(),
  };
}

interface Login {
  readonly addresses: readonly string[];
  readonly flags: GlobalFlags;
  readonly io: Io;
}

/**
 * Logs in, so that a password that is wrong is told at once; returns a transport whose calls are made in the user's
 * name, with another token when the servers have forgotten the one they gave.
 */
async function logIn(transport: ClientTransport, { addresses, flags, io }: Login): Promise<ClientTransport> {
  const { user, password: separate, commandTimeout: timeoutMs } = flags;
  const [, username = user, secret = separate] = /^([^:]*):(.*)$/s.exec(user) ?? [];
  const password = secret || (await askPassword(io));
  const client = createClient({ endpoints: addresses, timeoutMs, transport, limits: noLimits });
  try {
    const { token } = await client.raw.auth.authenticate({ name: username, password });
    return withCredentials(transport, { username, password }, token);
  } catch (error) {
    if (isConclaveError(error, "AUTH_NOT_ENABLED")) return withCredentials(transport, { username, password }, "");
    throw error;
  }
}

async function askPassword(io: Io): Promise<string> {
  io.out("Password: ");
  const lines = readLines(io.stdin);
  const password = await nextLine(lines);
  io.out("\n");
  return password;
}
