/** @module The registry in another cluster, of Conclave or of etcd, over gRPC. */
import { readFileSync } from "node:fs";
import { prefixEnd, utf8, utf8Text } from "@conclave/base";
import {
  AuthenticateRequest,
  AuthenticateResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
} from "@conclave/protocol/etcdserverpb";
import { type ChannelCredentials, Client, credentials, Metadata } from "@grpc/grpc-js";
import type { DiscoveryOptions } from "../config/discovery.ts";
import { MemberError } from "../member-error.ts";
import type { RegistryStore } from "./registry.ts";

/** A registry that holds connections. */
export interface GrpcRegistryStore extends RegistryStore {
  /** Closes them. */
  close(): void;
}

/** What turns the messages of a call into bytes and back. */
interface Call<Request, Response> {
  readonly path: string;
  readonly request: Request;
  readonly encode: (request: Request) => { finish(): Uint8Array };
  readonly decode: (bytes: Uint8Array) => Response;
}

/**
 * Opens the registry that the options of discovery name. Its endpoints are asked in turn: one that fails is left for
 * the next.
 *
 * @throws MemberError `CONFIG` if a certificate or key cannot be read
 */
export function openGrpcRegistryStore(options: DiscoveryOptions): GrpcRegistryStore {
  const clients = options.discoveryEndpoints.map((endpoint) => openClient(endpoint, options));
  let turn = 0;
  let token: string | undefined;

  async function call<Request, Response>(given: Call<Request, Response>, metadata: Metadata): Promise<Response> {
    const client = clients[turn % clients.length];
    if (client === undefined) throw new MemberError("CONFIG", "--discovery-endpoints names no endpoint");
    try {
      await ready(client, options.discoveryDialTimeout);
      return await unary(client, { ...given, metadata, timeoutMs: options.discoveryRequestTimeout });
    } catch (error) {
      turn++;
      token = undefined;
      throw error;
    }
  }

  async function authorized(): Promise<Metadata> {
    const metadata = new Metadata();
    const user = userOf(options);
    if (user === undefined) return metadata;
    token ??= (await call(authenticateCall(user), metadata)).token;
    metadata.set("token", token);
    return metadata;
  }

  return {
    async list(prefix) {
      const { kvs } = await call(rangeCall(prefix), await authorized());
      return kvs.map(({ key, value, createRevision }) => {
        return { key: utf8Text(key), value: utf8Text(value), createRevision };
      });
    },
    async put(key, value) {
      await call(putCall(key, value), await authorized());
    },
    close() {
      for (const client of clients) client.close();
    },
  };
}

interface User {
  readonly name: string;
  readonly password: string;
}

/** The user and its password, which may come in one option or in two. */
function userOf({ discoveryUser, discoveryPassword }: DiscoveryOptions): User | undefined {
  if (discoveryUser === "") return undefined;
  if (discoveryPassword !== "") return { name: discoveryUser, password: discoveryPassword };
  const [, name = discoveryUser, password = ""] = /^([^:]*):(.*)$/s.exec(discoveryUser) ?? [];
  return { name, password };
}

function authenticateCall(user: User): Call<AuthenticateRequest, AuthenticateResponse> {
  return {
    path: "/etcdserverpb.Auth/Authenticate",
    request: AuthenticateRequest.create(user),
    encode: (request) => AuthenticateRequest.encode(request),
    decode: (bytes) => AuthenticateResponse.decode(bytes),
  };
}

function rangeCall(prefix: string): Call<RangeRequest, RangeResponse> {
  const key = utf8(prefix);
  return {
    path: "/etcdserverpb.KV/Range",
    request: RangeRequest.create({ key, rangeEnd: prefixEnd(key) }),
    encode: (request) => RangeRequest.encode(request),
    decode: (bytes) => RangeResponse.decode(bytes),
  };
}

function putCall(key: string, value: string): Call<PutRequest, PutResponse> {
  return {
    path: "/etcdserverpb.KV/Put",
    request: PutRequest.create({ key: utf8(key), value: utf8(value) }),
    encode: (request) => PutRequest.encode(request),
    decode: (bytes) => PutResponse.decode(bytes),
  };
}

function openClient(endpoint: string, options: DiscoveryOptions): Client {
  const [, scheme, target = endpoint] = /^(https?):\/\/(.*)$/.exec(endpoint) ?? [];
  return new Client(target, credentialsOf(options, scheme), {
    "grpc.keepalive_time_ms": options.discoveryKeepaliveTime,
    "grpc.keepalive_timeout_ms": options.discoveryKeepaliveTimeout,
    "grpc.service_config_disable_resolution": 1,
  });
}

/** TLS where anything asks for it: the scheme, a file, or the option. */
function credentialsOf(options: DiscoveryOptions, scheme: string | undefined): ChannelCredentials {
  const { discoveryCacert: ca, discoveryCert: cert, discoveryKey: key } = options;
  const isSecure = scheme === "https" || !options.discoveryInsecureTransport || `${ca}${cert}${key}` !== "";
  if (!isSecure) return credentials.createInsecure();
  return credentials.createSsl(
    readFile(ca, "--discovery-cacert"),
    readFile(key, "--discovery-key"),
    readFile(cert, "--discovery-cert"),
    { rejectUnauthorized: !options.discoveryInsecureSkipTlsVerify },
  );
}

function readFile(path: string, flag: string): Buffer | null {
  if (path === "") return null;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new MemberError("CONFIG", `Invalid value ${JSON.stringify(path)} for ${flag}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function ready(client: Client, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + timeoutMs, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

function unary<Request, Response>(
  client: Client,
  given: Call<Request, Response> & { readonly metadata: Metadata; readonly timeoutMs: number },
): Promise<Response> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      given.path,
      (request: Request) => Buffer.from(given.encode(request).finish()),
      given.decode,
      given.request,
      given.metadata,
      { deadline: Date.now() + given.timeoutMs },
      (error, response) => {
        if (response === undefined) reject(error ?? new Error("no response"));
        else resolve(response);
      },
    );
  });
}
