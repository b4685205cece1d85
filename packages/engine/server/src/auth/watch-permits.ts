import type { AuthStore, NamedKeys } from "@conclave/auth";
import { WireError } from "@conclave/protocol";
import type { WatchCreateRequest } from "@conclave/protocol/etcdserverpb";
import type { ServerCall } from "@conclave/rpc";
import { withWireErrors } from "../wire-error-mapping.ts";
import type { AccessControl } from "./access-control.ts";

/** A watch that was created: who made it, and what it shows. */
interface Permit {
  readonly username: string;
  readonly keys: NamedKeys;
}

/** The status of a refusal as the text of a cancelled watch names it. */
const statusNames: Partial<Record<string, string>> = {
  UserEmpty: "InvalidArgument",
  InvalidAuthToken: "Unauthenticated",
  AuthOldRevision: "InvalidArgument",
  PermissionDenied: "PermissionDenied",
};

/**
 * The permissions of the watches of one stream. A watch needs to be allowed to read the whole of its range, not only
 * when it is created: after every change of users and roles it is asked again, and ends if it may not go on.
 */
export class WatchPermits {
  readonly #access: AccessControl;
  readonly #auth: AuthStore;
  readonly #call: ServerCall;
  readonly #permits = new Map<bigint, Permit>();
  #creating: Permit | undefined;

  constructor(access: AccessControl, auth: AuthStore, call: ServerCall) {
    this.#access = access;
    this.#auth = auth;
    this.#call = call;
  }

  /**
   * Asks whether a watch may be created.
   *
   * @returns why not, or undefined if it may
   */
  async refusalOf(request: WatchCreateRequest): Promise<string | undefined> {
    const keys = watchedKeys(request);
    try {
      const { username } = await this.#access.permit(this.#call, (caller) =>
        this.#auth.checkKeys(caller, "read", keys),
      );
      this.#creating = { username, keys };
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  }

  /** Takes note of a watch that is created without anybody being asked, as authentication is off. */
  allow(request: WatchCreateRequest): void {
    this.allowUser(this.#access.byCertificate(this.#call).username, request);
  }

  /** Takes note of a watch that is created in the name of a user. */
  allowUser(username: string, request: WatchCreateRequest): void {
    this.#creating = { username, keys: watchedKeys(request) };
  }

  /** Takes note of an answer of the hub: a watch has begun, or ended. */
  onResponse({ watchId, created, canceled }: OfWatch): void {
    if (canceled) this.#permits.delete(watchId);
    else if (created && this.#creating !== undefined) this.#permits.set(watchId, this.#creating);
  }

  /** The watches that may not go on, each with the reason. */
  revoked(): readonly (readonly [watchId: bigint, reason: string])[] {
    return [...this.#permits].flatMap(([watchId, permit]) => {
      const reason = this.#refusalNow(permit);
      return reason === undefined ? [] : [[watchId, reason] as const];
    });
  }

  #refusalNow({ username, keys }: Permit): string | undefined {
    try {
      withWireErrors(() => this.#auth.checkKeys(this.#access.userNow(username), "read", keys));
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  }
}

interface OfWatch {
  readonly watchId: bigint;
  readonly created: boolean;
  readonly canceled: boolean;
}

/** The range that a create request names; an empty key stands for the lowest one. */
function watchedKeys({ key, rangeEnd }: WatchCreateRequest): NamedKeys {
  return { key: key.length === 0 ? new Uint8Array(1) : key, rangeEnd };
}

function reasonOf(error: unknown): string {
  const status = error instanceof WireError ? statusNames[error.code] : undefined;
  if (status === undefined) throw error;
  return `rpc error: code = ${status} desc = ${(error as WireError).message}`;
}
