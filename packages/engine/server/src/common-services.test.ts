import { GrpcStatus } from "@conclave/protocol";
import { HealthDefinition } from "@conclave/protocol/health";
import { ServerReflectionDefinition, type ServerReflectionRequest } from "@conclave/protocol/reflection/v1";
import { createRpcServer, type RpcServer } from "@conclave/rpc";
import { credentials, makeClientConstructor, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withCommonServices } from "./common-services.ts";

const codec = <Message>({
  requestType,
  responseType,
}: {
  readonly requestType: { encode(message: Message): { finish(): Uint8Array } };
  readonly responseType: { decode(bytes: Uint8Array): unknown };
}) => ({
  requestSerialize: (message: Message) => Buffer.from(requestType.encode(message).finish()),
  requestDeserialize: () => undefined,
  responseSerialize: () => Buffer.alloc(0),
  responseDeserialize: (bytes: Buffer) => responseType.decode(bytes),
});

describe("withCommonServices()", () => {
  let server: RpcServer;
  let address: string;
  beforeAll(async () => {
    server = createRpcServer({ services: withCommonServices([{ fullName: "etcdserverpb.KV", methods: [] }]) });
    const [url = ""] = await server.listen("http://127.0.0.1:0");
    address = url.slice("http://".length);
  });
  afterAll(() => server.close());

  /** Asks by reflection, in one of its two versions. */
  async function reflect(version: string, ...questions: ServerReflectionRequest["messageRequest"][]) {
    const { serverReflectionInfo: method } = ServerReflectionDefinition.methods;
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const Client = makeClientConstructor({}, "Reflection");
    const client = new Client(address, credentials.createInsecure());
    const { requestSerialize, responseDeserialize } = codec<ServerReflectionRequest>(method);
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    for (const messageRequest of questions) call.write({ host: "", messageRequest });
    call.end();
    const answers: unknown[] = [];
    for await (const answer of call) answers.push((answer as { messageResponse: unknown }).messageResponse);
    client.close();
    return answers;
  }

  it.each(["v1", "v1alpha"])("lists the services by reflection %s", async (version) => {
    const [answer] = await reflect(version, { $case: "listServices", value: "" });
    expect(answer).toMatchObject({
      value: {
        service: [
          { name: "etcdserverpb.KV" },
          { name: "grpc.health.v1.Health" },
          { name: "grpc.reflection.v1.ServerReflection" },
          { name: "grpc.reflection.v1alpha.ServerReflection" },
        ],
      },
    });
  });

  it("gives the file of a symbol with what it imports, and the same by name", async () => {
    const answers = (await reflect(
      "v1",
      { $case: "fileContainingSymbol", value: "etcdserverpb.KV" },
      { $case: "fileContainingSymbol", value: "etcdserverpb.KV.Range" },
      { $case: "fileContainingSymbol", value: "etcdserverpb.RangeRequest.SortOrder" },
      { $case: "fileContainingSymbol", value: "etcdserverpb.RangeRequest.key" },
      { $case: "fileByFilename", value: "etcdserverpb/rpc.proto" },
    )) as { value: { fileDescriptorProto: Uint8Array[] } }[];
    expect(answers).toHaveLength(5);
    for (const { value } of answers) expect(value).toEqual(answers[0]?.value);
    expect(answers[0]?.value.fileDescriptorProto).toHaveLength(3);
    expect(Buffer.from(answers[0]?.value.fileDescriptorProto[2] ?? []).toString("latin1")).toContain("RangeRequest");
  });

  it("says that there is no such file, symbol or extension, and goes on", async () => {
    const answers = await reflect(
      "v1",
      { $case: "fileContainingSymbol", value: "etcdserverpb.InternalRaftRequest" },
      { $case: "fileContainingSymbol", value: "etcdserverpb.KV.Nonsense" },
      { $case: "fileByFilename", value: "raftpb/raft.proto" },
      { $case: "fileContainingExtension", value: { containingType: "etcdserverpb.KV", extensionNumber: 1 } },
      { $case: "allExtensionNumbersOfType", value: "etcdserverpb.PutRequest" },
    );
    const missing = { $case: "errorResponse", value: { errorCode: GrpcStatus.NotFound } };
    const none = { value: { baseTypeName: "etcdserverpb.PutRequest", extensionNumber: [] } };
    expect(answers).toMatchObject([missing, missing, missing, missing, none]);
  });

  const healthClient = () => {
    const Client = makeClientConstructor({}, "Health");
    return new Client(address, credentials.createInsecure());
  };
  const check = (service: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const client = healthClient();
      const { requestSerialize, responseDeserialize } = codec<{ service: string }>(HealthDefinition.methods.check);
      const onAnswer = (error: ServiceError | null, value: unknown): void => {
        client.close();
        if (error === null) resolve(value);
        else reject(error);
      };
      client.makeUnaryRequest(
        "/grpc.health.v1.Health/Check",
        requestSerialize,
        responseDeserialize,
        { service },
        onAnswer,
      );
    });

  it("says that the server as a whole serves, and knows no other name", async () => {
    expect(await check("")).toEqual({ status: 1 });
    await expect(check("etcdserverpb.KV")).rejects.toMatchObject({ code: GrpcStatus.NotFound });
  });

  it("tells a watcher the status, and ends the watch with the server", async () => {
    const own = createRpcServer({ services: withCommonServices([]) });
    const [url = ""] = await own.listen("http://127.0.0.1:0");
    const Client = makeClientConstructor({}, "Health");
    const client = new Client(url.slice("http://".length), credentials.createInsecure());
    const { requestSerialize, responseDeserialize } = codec<{ service: string }>(HealthDefinition.methods.watch);
    const path = "/grpc.health.v1.Health/Watch";
    const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: "" });
    const seen: unknown[] = [];
    await expect(async () => {
      for await (const status of call) {
        seen.push(status);
        void own.close();
      }
    }).rejects.toMatchObject({ code: GrpcStatus.Unavailable });
    expect(seen).toEqual([{ status: 1 }]);
    client.close();
  });
});
