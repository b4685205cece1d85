/** @module Generates what a hostile client or peer may send as HTTP/1.1, and as JSON in it. */
import { utf8 } from "@conclave/base";
import fc, { type Arbitrary } from "fast-check";
import { damaged, joined } from "./input.ts";

const clientPaths: readonly string[] = [
  "/version",
  "/health",
  "/health?serializable=true&exclude=NOSPACE",
  "/livez",
  "/readyz",
  "/metrics",
  "/v3/kv/range",
  "/v3/kv/put",
  "/v3/kv/txn",
  "/v3/kv/deleterange",
  "/v3/watch",
  "/v3/lease/grant",
  "/v3/lease/keepalive",
  "/v3/auth/authenticate",
  "/v3/maintenance/status",
  "/v3beta/kv/range",
  "/v2/keys/a",
  "/%00",
  "/../../etc/passwd",
  "*",
];

const peerPaths: readonly string[] = [
  "/raft",
  "/raft/probing",
  "/raft/snapshot",
  "/raft/stream/message/1",
  "/raft/stream/msgapp/ffffffffffffffff",
  "/raft/stream/nothing/1",
  "/members",
  "/members/hashkv",
  "/members/promote/1",
  "/members/promote/nobody",
  "/version",
  "/leases",
  "/leases/internal",
  "/downgrade/enabled",
  "/nothing",
];

const method = fc.constantFrom("GET", "GET", "POST", "POST", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "BREW");
const version = fc.constantFrom("HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/9.9", "");

/** JSON with the names of etcd's fields, and values that may be of any type. */
const json: Arbitrary<string> = fc.oneof(
  fc
    .dictionary(
      fc.constantFrom("key", "range_end", "value", "limit", "revision", "lease", "TTL", "ID", "compare", "success"),
      fc.oneof(fc.jsonValue(), fc.base64String({ maxLength: 20 }), fc.bigInt().map(String)),
      { maxKeys: 4 },
    )
    .map((object) => JSON.stringify(object)),
  fc.json({ maxDepth: 4 }),
  fc.nat(5_000).map((depth) => '{"success":['.repeat(depth)),
  fc.constant('{"create_request":{"key":"YQ=="}}'),
);

const body: Arbitrary<Uint8Array> = fc.oneof(json.map(utf8), fc.uint8Array({ maxLength: 200 }));

/** Fields that say how long the body is, rightly or not. */
const lengthFields: Arbitrary<(body: Uint8Array) => string> = fc.oneof(
  { weight: 4, arbitrary: fc.constant((bytes: Uint8Array) => `Content-Length: ${bytes.length}\r\n`) },
  fc.constantFrom("", "Content-Length: -1\r\n", "Content-Length: 99999999999999999999\r\n").map((text) => () => text),
  fc.constantFrom("Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n").map((text) => () => text),
  fc.constant((bytes: Uint8Array) => `Content-Length: ${bytes.length}\r\nTransfer-Encoding: chunked\r\n`),
  fc.nat(1_000_000).map((length) => () => `Content-Length: ${length}\r\n`),
);

const field: Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Expect: 100-continue\r\n",
    "Origin: null\r\n",
  ),
  fc.constantFrom("Upgrade: h2c\r\n", "Host: evil.example\r\n", "Grpc-Timeout: -5S\r\n", "Authorization: x\r\n"),
  fc.constantFrom(
    "X-Etcd-Cluster-ID: 1\r\n",
    "X-Server-From: 1\r\n",
    "X-Server-Version: 3.5.0\r\n",
    "X-PeerURLs: ?\r\n",
  ),
  fc.tuple(fc.string({ maxLength: 10 }), fc.string({ maxLength: 40 })).map(([name, value]) => `${name}: ${value}\r\n`),
  fc.nat(20_000).map((length) => `X-Long: ${"x".repeat(length)}\r\n`),
);

function requestTo(paths: readonly string[]): Arbitrary<Uint8Array> {
  return fc
    .tuple(method, fc.constantFrom(...paths), version, fc.array(field, { maxLength: 4 }), lengthFields, body)
    .map(([verb, path, spoken, fields, lengthOf, bytes]) =>
      joined([utf8(`${verb} ${path} ${spoken}\r\nHost: localhost\r\n${fields.join("")}${lengthOf(bytes)}\r\n`), bytes]),
    );
}

function connection(paths: readonly string[]): Arbitrary<Uint8Array> {
  return damaged(fc.array(requestTo(paths), { minLength: 1, maxLength: 3 }).map(joined));
}

/** What comes over one connection to the port for clients. */
export const http1Input: Arbitrary<Uint8Array> = connection(clientPaths);

/** What comes over one connection to the port for peers: from strangers, as members trust each other. */
export const peerInput: Arbitrary<Uint8Array> = connection(peerPaths);
