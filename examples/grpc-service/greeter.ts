/** @module A gRPC service that greets. Messages are JSON here, to do without generated code; with it nothing else differs. */
import * as grpc from "@grpc/grpc-js";

/** What is asked. */
export interface Visitor {
  /** Who. */
  readonly name: string;
}

/** What is answered. */
export interface Greeting {
  /** The greeting. */
  readonly text: string;
  /** The instance that greets. */
  readonly by: string;
}

const encode = (message: unknown): Buffer => Buffer.from(JSON.stringify(message));
const decode = <Message>(bytes: Buffer): Message => JSON.parse(bytes.toString()) as Message;
const greet: grpc.MethodDefinition<Visitor, Greeting> = {
  path: "/example.Greeter/Greet",
  requestStream: false,
  responseStream: false,
  requestSerialize: encode,
  requestDeserialize: decode,
  responseSerialize: encode,
  responseDeserialize: decode,
};

/** Serves under the name of an instance, on a free port. */
export async function serveGreeter(by: string): Promise<{ readonly address: string; stop(): Promise<void> }> {
  const server = new grpc.Server();
  server.addService(
    { greet },
    {
      greet: ({ request }: { request: Visitor }, answer: grpc.sendUnaryData<Greeting>) =>
        answer(null, { text: `hello ${request.name}`, by }),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    stop: () => new Promise((resolve) => server.tryShutdown(() => resolve())),
  };
}

/** Asks for a greeting over a channel. */
export function callGreeter(channel: grpc.Client, visitor: Visitor): Promise<Greeting> {
  return new Promise((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = greet;
    channel.makeUnaryRequest(path, requestSerialize, responseDeserialize, visitor, (error, greeting) => {
      if (greeting === undefined) reject(error ?? new Error("no greeting"));
      else resolve(greeting);
    });
  });
}
