import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { GrpcStatus, WireError } from "@conclave/protocol";
import { KVDefinition, LeaseDefinition, MaintenanceDefinition, WatchDefinition } from "@conclave/protocol/etcdserverpb";
import { bindService, createRpcServer, RpcError, type RpcServer, type ServerCall, unimplemented } from "@conclave/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createGateway } from "./gateway.ts";

/** What the services of these tests saw of the last call. */
interface Seen {
  call?: ServerCall;
  readonly requests: unknown[];
  aborted?: Promise<unknown>;
}

function servicesOf(seen: Seen) {
  const kv = Object.fromEntries(Object.keys(KVDefinition.methods).map((name) => [name, unimplemented]));
  const note = (call: ServerCall): void => {
    seen.call = call;
    seen.aborted = once(call.signal, "abort");
  };
  return [
    bindService(KVDefinition, {
      ...(kv as Record<keyof typeof KVDefinition.methods, typeof unimplemented>),
      range: (request, call) => {
        note(call);
        seen.requests.push(request);
        return { header: undefined, kvs: [], more: false, count: 7 };
      },
      put: (_request, call) => {
        note(call);
        return new Promise(() => undefined);
      },
      txn: () => {
        throw new WireError("TooManyOps");
      },
    }),
    bindService(WatchDefinition, {
      async watch(requests, responses, call) {
        note(call);
        await requests.forEach((request) => {
          seen.requests.push(request);
          responses.write({
            ...{ header: undefined, watchId: BigInt(seen.requests.length), created: true, canceled: false },
            ...{ compactRevision: 0, cancelReason: "", fragment: false, events: [] },
          });
        });
        throw new RpcError(GrpcStatus.Unavailable, "the end: 100 %");
      },
    }),
    bindService(LeaseDefinition, {
      ...{ leaseGrant: unimplemented, leaseRevoke: unimplemented, leaseTimeToLive: unimplemented },
      ...{ leaseLeases: unimplemented, leaseKeepAlive: unimplemented },
    }),
    bindService(MaintenanceDefinition, {
      ...{ alarm: unimplemented, status: unimplemented, defragment: unimplemented, hash: unimplemented },
      ...{ hashKV: unimplemented, moveLeader: unimplemented, downgrade: unimplemented },
      async snapshot(_request, responses) {
        responses.write({ header: undefined, remainingBytes: 1, blob: new Uint8Array([0xff]), version: "" });
        responses.write({ header: undefined, remainingBytes: 0, blob: new Uint8Array(), version: "" });
      },
    }),
  ];
}

describe("createGateway()", () => {
  let seen: Seen;
  let rpc: RpcServer;
  let url: string;
  let close: () => void;
  beforeEach(async () => {
    seen = { requests: [] };
    rpc = createRpcServer({ services: servicesOf(seen) });
    const gateway = createGateway({ accept: rpc.accept, maxJsonBytes: 10_000 });
    const server = createServer((request, response) => gateway({ request, response }, request.url ?? ""));
    await once(server.listen(0, "127.0.0.1"), "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    close = () => {
      server.closeAllConnections();
      server.close();
    };
  });
  afterEach(async () => {
    close();
    await rpc.close();
  });

  const post = async (path: string, body: string, headers: Record<string, string> = {}) => {
    const reply = await fetch(`${url}${path}`, { method: "POST", body, headers });
    return { status: reply.status, type: reply.headers.get("content-type"), body: await reply.text() };
  };

  it("calls the method of a path and tells its response", async () => {
    expect(await post("/v3/kv/range", '{"key":"Zm9v"}')).toEqual({
      status: 200,
      type: "application/json",
      body: '{"count":"7"}',
    });
    expect(seen.requests).toMatchObject([{ key: Buffer.from("foo") }]);
    expect(rpc.stats.find(({ method }) => method === "Range")).toMatchObject({ started: 1, received: 1, sent: 1 });
  });

  it("tells errors in the fields of every version, with the HTTP status that fits", async () => {
    const message = "etcdserver: too many operations in txn request";
    const { status, body } = await post("/v3/kv/txn", "{}");
    expect(status).toBe(400);
    expect(JSON.parse(body)).toEqual({ error: message, message, code: 3 });
    expect((await post("/v3/lease/grant", "{}")).status).toBe(501);
  });

  it("passes the authorization and metadata on, and no field of the transport", async () => {
    const headers = { authorization: "secret", "grpc-metadata-hasleader": "true", "grpc-metadata-grpc-encoding": "x" };
    await post("/v3/kv/range", "{}", headers);
    expect(seen.call?.metadata.get("authorization")).toBe("secret");
    expect(seen.call?.metadata.get("hasleader")).toBe("true");
    expect(seen.call?.metadata.get("grpc-encoding")).toBeUndefined();
    expect(seen.call?.peer.address).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it("holds a call to its timeout", async () => {
    const { status, body } = await post("/v3/kv/put", "{}", { "grpc-timeout": "30m" });
    expect(status).toBe(504);
    expect(JSON.parse(body)).toMatchObject({ code: 4, message: "context deadline exceeded" });
  });

  it("aborts the call of a client that leaves", async () => {
    const leaving = new AbortController();
    const left = fetch(`${url}/v3/kv/put`, { method: "POST", body: "{}", signal: leaving.signal });
    while (seen.call === undefined) await new Promise(setImmediate);
    leaving.abort();
    await expect(left).rejects.toThrow();
    await seen.aborted;
    expect(seen.call.signal.reason).toMatchObject({ status: GrpcStatus.Canceled });
  });

  it("answers a stream by a line for each response", async () => {
    expect((await post("/v3/maintenance/snapshot", "{}")).body).toBe(
      '{"result":{"remaining_bytes":"1","blob":"/w=="}}\n{"result":{}}\n',
    );
  });

  it("answers each object of a body that stays open as it comes, and ends with an error as a line", async () => {
    const request = httpRequest(`${url}/v3/watch`, { method: "POST" });
    request.write('{"create_request":{"key":"YQ=="}}');
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.setEncoding("utf8");
    expect((await once(response, "data"))[0]).toBe('{"result":{"watch_id":"1","created":true}}\n');
    request.write('{"progress_request":{}}');
    expect((await once(response, "data"))[0]).toBe('{"result":{"watch_id":"2","created":true}}\n');
    request.end();
    const error = { code: 14, message: "the end: 100 %", grpc_code: 14, http_code: 503 };
    expect(JSON.parse(String((await once(response, "data"))[0]))).toEqual({
      error: { ...error, http_status: "Service Unavailable" },
    });
  });

  it("ends a stream whose body is malformed, and the call with it", async () => {
    const request = httpRequest(`${url}/v3/watch`, { method: "POST" });
    request.write('{"create_request":{}}');
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.setEncoding("utf8");
    await once(response, "data");
    request.end("nonsense");
    expect((await once(response, "data"))[0]).toContain('"code":3');
    await seen.aborted;
  });

  it("refuses a malformed request before it becomes a call", async () => {
    for (const body of ["{", "[]", '{"key":5}', "nonsense"]) {
      expect(await post("/v3/kv/range", body)).toMatchObject({ status: 400, type: "application/json" });
      expect((await post("/v3/watch", body.replace("key", "create_request"))).status).toBe(400);
    }
    expect(seen.requests).toEqual([]);
  });

  it("refuses an object that is too long", async () => {
    expect(await post("/v3/kv/range", `{"key":"${"YQ==".repeat(5000)}"}`)).toMatchObject({ status: 429 });
  });

  it("refuses unknown paths, other verbs than POST and a timeout that is none", async () => {
    expect(await post("/v3/kv/nonsense", "{}")).toMatchObject({ status: 404, type: "application/json" });
    expect(await fetch(`${url}/v3/kv/range`)).toMatchObject({ status: 501 });
    const refused = await post("/v3/kv/range", "{}", { "grpc-timeout": "soon" });
    expect(refused).toMatchObject({ status: 400, body: expect.stringContaining("invalid grpc-timeout: soon") });
  });
});
