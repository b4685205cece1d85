/**
 * @module What only operators may do: the methods of the Cluster and Maintenance services. A method that is not named
 * here is root's. The other services ask for themselves, as they look at keys.
 */
import type { Caller } from "@conclave/auth";
import { GrpcStatus, WireError, type WireErrorName } from "@conclave/protocol";
import { AlarmRequest_AlarmAction as AlarmAction, type AlarmRequest } from "@conclave/protocol/etcdserverpb";
import { type BoundMethod, RpcError, type ServerCall, type ServiceBinding } from "@conclave/rpc";
import type { Member } from "../member.ts";
import type { AccessControl } from "./access-control.ts";

const guarded: ReadonlySet<string> = new Set(["etcdserverpb.Cluster", "etcdserverpb.Maintenance"]);
/** Methods whose refusals etcd passes on as its auth store words them, with a status that says nothing. */
const plain: ReadonlySet<string> = new Set(["Defragment", "Hash", "HashKV", "Snapshot"]);
const plainTexts: Partial<Record<WireErrorName, string>> = {
  UserEmpty: "auth: user name is empty",
  InvalidAuthToken: "auth: invalid auth token",
  PermissionDenied: "auth: permission denied",
  AuthOldRevision: "auth: revision in header is old",
};

/** Guards the calls that are an operator's. */
export class OperatorGuard {
  readonly #access: AccessControl;
  readonly #auth: Member["auth"];

  constructor(access: AccessControl, { auth }: Pick<Member, "auth">) {
    this.#access = access;
    this.#auth = auth;
  }

  /** The same service, guarded if it is an operator's. */
  guard(service: ServiceBinding): ServiceBinding {
    if (!guarded.has(service.fullName)) return service;
    return { fullName: service.fullName, methods: service.methods.map((method) => this.#guardMethod(method)) };
  }

  #guardMethod(method: BoundMethod): BoundMethod {
    switch (method.kind) {
      case "unary": {
        const serve = method.handler;
        const handler: typeof serve = (request, call) =>
          this.#access.enabled
            ? this.#permit(method, call, request).then(() => serve(request, call))
            : serve(request, call);
        return { ...method, handler };
      }
      case "serverStream": {
        const serve = method.handler;
        const handler: typeof serve = async (request, out, call) => {
          if (this.#access.enabled) await this.#permit(method, call, request);
          return serve(request, out, call);
        };
        return { ...method, handler };
      }
      case "clientStream": {
        const serve = method.handler;
        const handler: typeof serve = async (requests, call) => {
          if (this.#access.enabled) await this.#permit(method, call);
          return serve(requests, call);
        };
        return { ...method, handler };
      }
      case "bidi": {
        const serve = method.handler;
        const handler: typeof serve = async (requests, out, call) => {
          if (this.#access.enabled) await this.#permit(method, call);
          return serve(requests, out, call);
        };
        return { ...method, handler };
      }
    }
  }

  async #permit(method: BoundMethod, call: ServerCall, request?: unknown): Promise<void> {
    const check = isForUsers(method, request)
      ? (caller: Caller) => this.#auth.checkUser(caller)
      : (caller: Caller) => this.#auth.checkAdmin(caller);
    try {
      await this.#access.permitHere(call, check);
    } catch (error) {
      throw plain.has(method.name) ? withoutStatus(error) : error;
    }
  }
}

/** What every user may ask: who the members are, and which alarms are on. */
function isForUsers({ name }: BoundMethod, request: unknown): boolean {
  return name === "MemberList" || (name === "Alarm" && (request as AlarmRequest).action === AlarmAction.GET);
}

function withoutStatus(error: unknown): unknown {
  const text = error instanceof WireError ? plainTexts[error.code] : undefined;
  return text === undefined ? error : new RpcError(GrpcStatus.Unknown, text, { cause: error });
}
