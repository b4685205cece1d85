import { readFileSync } from "node:fs";
import {
  type CallMetadata,
  type Client,
  type ClientTransport,
  createClient,
  createGrpcTransport,
  isConclaveError,
  type TlsOptions,
} from "@conclave/client";
import { nextLine, readLines } from "./commands/lines.ts";
import { discoverEndpoints } from "./discovery.ts";
import { CommandError, exitCodes } from "./exit.ts";
import type { GlobalFlags } from "./global-flags.ts";
import type { Io } from "./io.ts";

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
  const credentials: { metadata: CallMetadata } = { metadata: {} };
  const transport = withMetadata(createGrpcTransport({ tls: readTls(flags) }), credentials);
  const client = createClient({ endpoints: addresses, timeoutMs: flags.commandTimeout, transport });
  if (flags.user !== "") {
    const token = await logIn(client, flags, io);
    if (token !== undefined) credentials.metadata = { token };
  }
  return { client, transport, addresses };
}

/** An endpoint in the client's form: with TLS wanted, what has no scheme is `https`. */
export function addressOf(endpoint: string, flags: GlobalFlags): string {
  return wantsTls(flags) && !endpoint.includes("://") ? `https://${endpoint}` : endpoint;
}

function wantsTls({ cacert, cert, insecureTransport, insecureSkipTlsVerify }: GlobalFlags): boolean {
  return cacert !== "" || cert !== "" || !insecureTransport || insecureSkipTlsVerify;
}

function readTls({ cacert, cert, key }: GlobalFlags): TlsOptions {
  if ((cert === "") !== (key === ""))
    throw new CommandError(
      exitCodes.badArguments,
      `KeyFile and CertFile must both be present[key: ${key}, cert: ${cert}]`,
    );
  return { ca: readFile(cacert), cert: readFile(cert), key: readFile(key) };
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
function withMetadata(transport: ClientTransport, extra: { readonly metadata: CallMetadata }): ClientTransport {
  const enrich = <Call extends { readonly metadata: CallMetadata }>(call: Call): Call => ({
    ...call,
    metadata: { ...call.metadata, ...extra.metadata },
  });
  return {
    unary: (call) => transport.unary(enrich(call)),
    stream: (call, sink) => transport.stream(enrich(call), sink),
    close: () => transport.close(),
  };
}

/** The token of a user; undefined if the servers know no users. */
async function logIn(client: Client, { user, password }: GlobalFlags, io: Io): Promise<string | undefined> {
  const [, name = user, secret = password] = /^([^:]*):(.*)$/s.exec(user) ?? [];
  try {
    const response = await client.raw.auth.authenticate({ name, password: secret || (await askPassword(io)) });
    return response.token;
  } catch (error) {
    if (isConclaveError(error, "AUTH_NOT_ENABLED")) return undefined;
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
