import { Histogram } from "@conclave/base";
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
  /** Bytes of the requests, as they came. */
  readonly receivedBytes: number;
  /** Bytes of the responses. */
  readonly sentBytes: number;
  /** Calls ended, by status code; codes that did not occur are left out. */
  readonly handled: ReadonlyMap<GrpcStatus, number>;
  /** How long calls took from their header fields to their status, in seconds; undefined unless they are timed. */
  readonly durations: Histogram | undefined;
}

/** The buckets that the gRPC ecosystem uses. */
const durationBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The counts of one method as calls change them. */
export class MethodCounters implements MethodStats {
  readonly service: string;
  readonly method: string;
  readonly kind: BoundMethod["kind"];
  readonly handled: Map<GrpcStatus, number> = new Map();
  started = 0;
  received = 0;
  sent = 0;
  receivedBytes = 0;
  sentBytes = 0;

  readonly durations: Histogram | undefined;

  /** @param timed - whether to measure how long calls take */
  constructor({ service, name, kind }: BoundMethod, timed: boolean) {
    this.durations = timed ? new Histogram(durationBounds) : undefined;
    this.service = service;
    this.method = name;
    this.kind = kind;
  }

  /** Counts a call that ended. */
  countHandled(code: GrpcStatus): void {
    this.handled.set(code, (this.handled.get(code) ?? 0) + 1);
  }
}
