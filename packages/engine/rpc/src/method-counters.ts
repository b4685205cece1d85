import type { GrpcStatus } from "@conclave/protocol";
import type { BoundMethod } from "./service.ts";

/** What one method of a server has done since it started; for metrics, read when asked. */
export interface MethodStats {
  /** The service's name with the package. */
  readonly service: string;
  /** The method's name in the IDL. */
  readonly method: string;
  /** Which sides stream. */
  readonly kind: BoundMethod["kind"];
  /** Calls begun. */
  readonly started: number;
  /** Requests received, more than one a call where the client streams. */
  readonly received: number;
  /** Responses sent. */
  readonly sent: number;
  /** Calls ended, by status code; codes that did not occur are left out. */
  readonly handled: ReadonlyMap<GrpcStatus, number>;
}

/** The counts of one method as calls change them. */
export class MethodCounters implements MethodStats {
  readonly service: string;
  readonly method: string;
  readonly kind: BoundMethod["kind"];
  readonly handled: Map<GrpcStatus, number> = new Map();
  started = 0;
  received = 0;
  sent = 0;

  constructor({ service, name, kind }: BoundMethod) {
    this.service = service;
    this.method = name;
    this.kind = kind;
  }

  /** Counts a call that ended. */
  countHandled(code: GrpcStatus): void {
    this.handled.set(code, (this.handled.get(code) ?? 0) + 1);
  }
}
