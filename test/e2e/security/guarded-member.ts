/** @module A member that asks who calls, and calls to it with whatever token one likes. */
import { type Codec, httpRoutes, type MethodDefinition, services } from "@conclave/protocol";
import type { WatchResponse } from "@conclave/protocol/etcdserverpb";
import { startMember, type TestMember, type TestMemberOptions } from "@conclave/testkit";
import { createDriver, type Driver, type DriverStream } from "../../conformance/grpc-driver.ts";
import type { Method } from "../../conformance/scenario.ts";
import { type RecordedLog, recordedLog } from "../recorded-log.ts";

/** What came of a call: the first answer, or the refusal. */
export type Answer =
  | { readonly kind: "reply"; readonly message: Readonly<Record<string, unknown>> }
  | { readonly kind: "failure"; readonly status: number; readonly text: string };

/** Every method there is, as `KV.Put`. */
export const methods: ReadonlyMap<string, Method> = new Map(
  services.flatMap(({ name: service, fullName, methods: definitions }) =>
    Object.values(definitions).map((definition: MethodDefinition) => {
      const name = `${service}.${definition.name}`;
      return [name, { name, path: `/${fullName}/${definition.name}`, definition }] as const;
    }),
  ),
);

type GeneratedCodec = Codec<object> & { fromPartial(partial: object): object };

/** Passwords, values and names that must not be found in any log. */
export const secrets = { root: "root-password-7f3a", ann: "ann-password-91bc", value: "value-55d0c2" } as const;

/** A server of any kind. */
export type GuardedServer = Pick<TestMember, "endpoint" | "url"> & AsyncDisposable;

const failureOf = (text: string): Answer => ({ kind: "failure", status: 7, text });

/** A member with the users root and ann; ann may read and write `[b, d)`, read `r` and write `w`. */
export class GuardedMember implements AsyncDisposable {
  readonly member: GuardedServer;
  readonly #driver: Driver;
  readonly #log: RecordedLog;
  /** Every token that was given out. */
  readonly tokens: string[] = [];

  private constructor(member: GuardedServer, log: RecordedLog) {
    this.member = member;
    this.#log = log;
    this.#driver = createDriver(member.endpoint);
  }

  /** Starts it, with authentication on. */
  static async start(config: TestMemberOptions["config"] = {}): Promise<GuardedMember> {
    const log = recordedLog();
    const member = await startMember({ config: { bcryptCost: 4, ...config }, log: log.log });
    const guarded = new GuardedMember(member, log);
    await guarded.#furnish();
    return guarded;
  }

  /** Furnishes a server that runs already, such as an etcd. It is disposed of with this. */
  static async over(member: GuardedServer): Promise<GuardedMember> {
    const guarded = new GuardedMember(member, recordedLog());
    await guarded.#furnish();
    return guarded;
  }

  /** All that the member has logged, if it was started here. */
  get logText(): string {
    return this.#log.text();
  }

  async #furnish(): Promise<void> {
    const permission = (permType: number, key: string, rangeEnd = "") =>
      this.must("Auth.RoleGrantPermission", {
        name: "ann",
        perm: { permType, key: bytes(key), rangeEnd: bytes(rangeEnd) },
      });
    await this.must("Auth.UserAdd", { name: "root", password: secrets.root });
    await this.must("Auth.UserGrantRole", { user: "root", role: "root" });
    await this.must("Auth.UserAdd", { name: "ann", password: secrets.ann });
    await this.must("Auth.RoleAdd", { name: "ann" });
    await this.must("Auth.UserGrantRole", { user: "ann", role: "ann" });
    await permission(2, "b", "d");
    await permission(0, "r");
    await permission(1, "w");
    await this.must("KV.Put", { key: bytes("secret"), value: bytes(secrets.value) });
    await this.must("Auth.AuthEnable", {});
  }

  /** Logs a user in. */
  async login(name: string, password: string): Promise<string> {
    const { token } = await this.must<{ token: string }>("Auth.Authenticate", { name, password });
    this.tokens.push(token);
    return token;
  }

  /** Makes a call that has to succeed. */
  async must<Reply = object>(method: string, request: object, token?: string): Promise<Reply> {
    const answer = await this.ask(method, request, token);
    if (answer.kind === "failure") throw new Error(`${method} was refused: ${answer.text}`);
    return answer.message as Reply;
  }

  /** Makes a call; of a stream, waits for what it brings first. A watch that is cancelled counts as a refusal. */
  async ask(name: string, request: object, token?: string): Promise<Answer> {
    const method = methodNamed(name);
    const message = messageOf(method, request);
    const metadata: Record<string, string> = token === undefined ? {} : { token };
    const { requestStream, responseStream } = method.definition;
    if (!requestStream && !responseStream)
      return (await this.#driver.call(method, message, metadata).outcome) as Answer;
    const stream = this.#driver.open(method, message, metadata);
    try {
      return await firstOf(stream);
    } finally {
      stream.cancel();
    }
  }

  /** Opens a stream that stays open. */
  open(name: string, token?: string): StreamOfOne {
    const method = methodNamed(name);
    const stream = this.#driver.open(method, undefined, token === undefined ? {} : { token });
    return { stream, send: (request) => stream.send(messageOf(method, request)) };
  }

  /** Makes a call over the gateway; undefined if it has no path there. */
  async askGateway(name: string, request: object, token?: string): Promise<Answer | undefined> {
    const { path } = methodNamed(name);
    const route = [...httpRoutes].find(([, method]) => method === path)?.[0];
    if (route === undefined) return undefined;
    const controller = new AbortController();
    const response = await fetch(`${this.member.url}${route}`, {
      method: "POST",
      headers: token === undefined ? {} : { authorization: token },
      body: jsonOf(request),
      signal: controller.signal,
    });
    try {
      return await firstLine(response);
    } finally {
      controller.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#driver.close();
    await this.member[Symbol.asyncDispose]();
  }
}

/** A stream, and what sends on it. */
export interface StreamOfOne {
  readonly stream: DriverStream;
  send(request: object): void;
}

/** The bytes of a text, one for each character. */
export const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

/** Waits for the next messages of a stream, or for its end. */
export async function nextOf(stream: DriverStream): Promise<readonly object[]> {
  for (;;) {
    const messages = stream.take();
    if (messages.length > 0 || stream.ended() !== undefined) return messages;
    await stream.changed();
  }
}

export function methodNamed(name: string): Method {
  const method = methods.get(name);
  if (method === undefined) throw new TypeError(`Cannot call as there is no method "${name}"`);
  return method;
}

export function messageOf({ definition }: Method, request: object): object {
  return (definition.requestType as GeneratedCodec).fromPartial(request);
}

async function firstOf(stream: DriverStream): Promise<Answer> {
  const [message] = await nextOf(stream);
  if (message === undefined) return stream.ended() as Answer;
  const { canceled, cancelReason } = message as WatchResponse;
  return canceled === true ? failureOf(cancelReason) : { kind: "reply", message: { ...message } };
}

/** Bytes are base64 in JSON; no request here has any other field that JSON would write in another way. */
function jsonOf(request: object): string {
  return JSON.stringify(request, (_name, value: unknown) => {
    if (typeof value === "bigint") return `${value}`;
    const buffer = value as { readonly type?: string; readonly data?: readonly number[] } | null;
    if (buffer?.type === "Buffer") return Buffer.from(buffer.data ?? []).toString("base64");
    return value;
  });
}

async function firstLine(response: Response): Promise<Answer> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.includes("\n")) break;
  }
  const body = JSON.parse(text.split("\n", 1)[0] ?? "{}") as GatewayBody;
  const refusal = body.error !== undefined && typeof body.error === "object" ? body.error : body;
  if (refusal.message !== undefined) return { kind: "failure", status: refusal.code ?? -1, text: refusal.message };
  const result = body.result ?? body;
  if (result.canceled === true) return failureOf(String(result.cancel_reason));
  return { kind: "reply", message: result };
}

interface GatewayBody extends Record<string, unknown> {
  readonly error?: { readonly code?: number; readonly message?: string } | string;
  readonly code?: number;
  readonly message?: string;
  readonly result?: Readonly<Record<string, unknown>>;
}
