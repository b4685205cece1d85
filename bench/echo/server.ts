/**
 * @module A service that answers every put with the same response, on one of three transports: what the transport
 * alone costs. Arguments: the transport. Prints its URL when it listens.
 */
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { KVDefinition, PutRequest, PutResponse } from "@conclave/protocol/etcdserverpb";
import { bindService, createRpcServer, unimplemented } from "@conclave/rpc";
import * as grpc from "@grpc/grpc-js";

const response = PutResponse.fromPartial({
  header: { clusterId: 14841639068965178418n, memberId: 10276657743932975437n, revision: 1_000_000, raftTerm: 7 },
});

async function startGrpcJs(): Promise<string> {
  const server = new grpc.Server();
  const put: grpc.MethodDefinition<PutRequest, PutResponse> = {
    path: "/etcdserverpb.KV/Put",
    requestStream: false,
    responseStream: false,
    requestSerialize: (message) => Buffer.from(PutRequest.encode(message).finish()),
    requestDeserialize: (bytes) => PutRequest.decode(bytes),
    responseSerialize: (message) => Buffer.from(PutResponse.encode(message).finish()),
    responseDeserialize: (bytes) => PutResponse.decode(bytes),
  };
  const handler: grpc.handleUnaryCall<PutRequest, PutResponse> = (_call, reply) => reply(null, response);
  server.addService({ put }, { put: handler });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return `http://127.0.0.1:${port}`;
}

/** The least that answers h2load with `node:http2`: no path, no checks, and the bytes are not looked at. */
async function startBareHttp2(): Promise<string> {
  const body = Buffer.concat([Buffer.from([0, 0, 0, 0, 28]), Buffer.alloc(28)]);
  const server = createServer();
  server.on("stream", (stream) => {
    stream.on("data", () => undefined);
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function startOurs(): Promise<string> {
  const kv = bindService(KVDefinition, {
    put: () => response,
    range: unimplemented,
    rangeStream: unimplemented,
    deleteRange: unimplemented,
    txn: unimplemented,
    compact: unimplemented,
  });
  const [url = ""] = await createRpcServer({ services: [kv] }).listen("http://127.0.0.1:0");
  return url;
}

const transports: Readonly<Record<string, () => Promise<string>>> = {
  "grpc-js": startGrpcJs,
  "node:http2": startBareHttp2,
  "@conclave/rpc": startOurs,
};
const start = transports[process.argv[2] ?? ""];
if (start === undefined) throw new Error(`Name a transport: ${Object.keys(transports).join(", ")}`);
process.stdout.write(`${await start()}\n`);
