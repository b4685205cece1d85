/**
 * @module A service of the four kinds of calls, whose behaviour the requests choose, for the tests of servers.
 */
import { utf8, utf8Text } from "@conclave/base";
import { type GrpcStatus, WireError } from "@conclave/protocol";
import { KeyValue } from "@conclave/protocol/mvccpb";
import type { RequestStream } from "../request-stream.ts";
import type { ResponseStream } from "../response-stream.ts";
import { RpcError } from "../rpc-error.ts";
import type { ServerCall } from "../server-call.ts";
import { bindService, type ServiceBinding, unimplemented } from "../service.ts";

/** The service; `key` of a request says what to do, `value` with what, `version` how often. */
export const EchoDefinition = {
  name: "Echo",
  fullName: "test.Echo",
  methods: {
    say: { name: "Say", requestType: KeyValue, requestStream: false, responseType: KeyValue, responseStream: false },
    count: { name: "Count", requestType: KeyValue, requestStream: false, responseType: KeyValue, responseStream: true },
    join: { name: "Join", requestType: KeyValue, requestStream: true, responseType: KeyValue, responseStream: false },
    chat: { name: "Chat", requestType: KeyValue, requestStream: true, responseType: KeyValue, responseStream: true },
    never: {
      name: "Never",
      requestType: KeyValue,
      requestStream: false,
      responseType: KeyValue,
      responseStream: false,
    },
  },
} as const;

/** A request or response. */
export function keyValue(key: string, value: string | Uint8Array = "", version = 0): KeyValue {
  return KeyValue.fromPartial({ key: utf8(key), value: typeof value === "string" ? utf8(value) : value, version });
}

/** Things that happened in handlers, waited for in the order in which they happen. */
export class Happenings {
  readonly #seen: string[] = [];
  readonly #waiters: ((event: string) => void)[] = [];

  /** Something happened. */
  tell(event: string): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#seen.push(event);
    else waiter(event);
  }

  /** What happened next. */
  next(): Promise<string> {
    const event = this.#seen.shift();
    return event === undefined ? new Promise((resolve) => this.#waiters.push(resolve)) : Promise.resolve(event);
  }
}

/** The service and what happens in its handlers. */
export interface EchoService {
  readonly binding: ServiceBinding;
  readonly happenings: Happenings;
}

/** Creates the service. */
export function createEchoService(): EchoService {
  const happenings = new Happenings();
  const binding = bindService(EchoDefinition, {
    say: (request, call) => say({ request, call, happenings }),
    count: (request, responses, call) => count({ request, responses, call, happenings }),
    join: (requests) => join(requests),
    chat: (requests, responses, call) => chat({ requests, responses, call, happenings }),
    never: unimplemented,
  });
  return { binding, happenings };
}

interface Said {
  readonly request: KeyValue;
  readonly call: ServerCall;
  readonly happenings: Happenings;
}

function say(said: Said): KeyValue | Promise<KeyValue> {
  const { request, call } = said;
  switch (utf8Text(request.key)) {
    case "wire error":
      throw new WireError("LeaseNotFound");
    case "rpc error":
      return Promise.reject(new RpcError(request.version as GrpcStatus, utf8Text(request.value)));
    case "fault":
      throw new TypeError("a secret of the program");
    case "late fault":
      return Promise.reject(new TypeError("a secret of the program"));
    case "later":
      return Promise.resolve(request);
    case "metadata":
      return answerMetadata(call);
    case "deadline":
      return keyValue("left", String((call.deadlineMs ?? Number.NaN) - performance.now()));
    case "peer":
      return keyValue("peer", call.peer.address);
    case "wait":
      return waitForAbort(said);
    case "not a message":
      return undefined as unknown as KeyValue;
    default:
      return request;
  }
}

function answerMetadata(call: ServerCall): KeyValue {
  const [bytes = new Uint8Array()] = call.metadata.getBinary("asked-bin");
  call.setHeader("given", `${call.metadata.get("asked")}!`);
  call.setTrailer("given-bin", Uint8Array.from(bytes).reverse());
  return keyValue("names", call.metadata.names().join(" "));
}

/** Tells when it waits and with which error it was aborted. */
function waitForAbort({ call, happenings }: Omit<Said, "request">): Promise<never> {
  return new Promise((_resolve, reject) => {
    call.signal.addEventListener("abort", () => {
      const { status, message } = call.signal.reason as RpcError;
      happenings.tell(`aborted: ${status} ${message}`);
      reject(call.signal.reason);
    });
    happenings.tell("waiting");
  });
}

interface Counted extends Said {
  readonly responses: ResponseStream<KeyValue>;
}

async function count({ request, responses, call, happenings }: Counted): Promise<void> {
  for (let version = 1; version <= request.version; version++) {
    responses.write({ ...request, version });
  }
  const key = utf8Text(request.key);
  if (key === "fail") throw new WireError("Compacted");
  if (key === "wait") await waitForAbort({ call, happenings });
  if (key === "flood") await flood({ responses, call, happenings, request });
}

/** Sends for ever, and tells of each stop how much was waiting. */
async function flood({ request, responses, call, happenings }: Counted): Promise<void> {
  while (!call.signal.aborted) {
    while (responses.write(request)) await Promise.resolve();
    happenings.tell(`full: ${responses.bufferedBytes}`);
    await responses.drained();
  }
}

async function join(requests: RequestStream<KeyValue>): Promise<KeyValue> {
  const values: string[] = [];
  await requests.forEach(({ value }) => {
    values.push(utf8Text(value));
  });
  return keyValue("joined", values.join(" "));
}

interface Chat {
  readonly requests: RequestStream<KeyValue>;
  readonly responses: ResponseStream<KeyValue>;
  readonly call: ServerCall;
  readonly happenings: Happenings;
}

async function chat({ requests, responses, call, happenings }: Chat): Promise<void> {
  try {
    for await (const request of requests) {
      const key = utf8Text(request.key);
      if (key === "bye") return;
      if (key === "fail") throw new WireError("NoLeader");
      if (key === "deaf") return await waitForAbort({ call, happenings });
      responses.write(request);
    }
    responses.write(keyValue("half-closed"));
  } catch (error) {
    happenings.tell(`chat: ${(error as Error).message}`);
    throw error;
  }
}
