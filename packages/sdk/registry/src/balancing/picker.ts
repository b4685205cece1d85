/** @module Choosing an instance of a live set for each request, and learning from how it went. */
import type { Clock, Random } from "@conclave/base";
import { ConclaveError } from "@conclave/client";
import { z } from "zod";
import type { LiveSet } from "../discovery/live-set.ts";
import { check, type Instance, type InstanceMetadata } from "../instance.ts";
import type { Balancer, RequestResult } from "./balancer.ts";
import { ConsistentHash } from "./consistent-hash.ts";
import { LeastPending } from "./least-pending.ts";
import { type EjectionOptions, OutlierEjection } from "./outlier-ejection.ts";
import { PowerOfTwoChoices } from "./power-of-two.ts";
import { RoundRobin } from "./round-robin.ts";
import { SmoothWeighted } from "./smooth-weighted.ts";
import { ZoneFirst } from "./zone-first.ts";

/** The policies by name. */
export type BalancingPolicy = "round-robin" | "weighted" | "least-pending" | "power-of-two" | "consistent-hash";

/** How to choose. */
export interface PickerOptions {
  /** Tells the time. */
  readonly clock: Clock;
  /** Draws. */
  readonly random: Random;
  /** The service to choose from; default: all of the set. */
  readonly service?: string | undefined;
  /** Who chooses: one of the policies, or a balancer. Default: `power-of-two`. */
  readonly policy?: BalancingPolicy | Balancer | undefined;
  /** The zone whose instances are preferred. Default: none. */
  readonly zone?: string | undefined;
  /** When instances are left out whose requests fail; `false` leaves out nobody. Default: see {@link EjectionOptions}. */
  readonly ejection?: EjectionOptions | false | undefined;
}

/** What to choose for. */
export interface PickOptions {
  /** What the request is about: `consistent-hash` sends the like to the same instance. Default: nothing. */
  readonly key?: string | undefined;
  /** Instances that are not to be chosen, by id: those that were tried already. Default: none. */
  readonly except?: ReadonlySet<string> | undefined;
}

/** An instance that was chosen for a request. */
export interface Picked<Metadata = InstanceMetadata> {
  /** The instance. */
  readonly instance: Instance<Metadata>;
  /** Says how the request went, once it is over; further calls do nothing. */
  done(result: RequestResult): void;
}

/** Chooses instances. Disposing of it closes its set. */
export interface Picker<Metadata = InstanceMetadata> extends AsyncDisposable {
  /** The set that is chosen from. */
  readonly set: LiveSet<Metadata>;
  /**
   * Chooses an instance that takes requests; one that says that it is critical only if there is no other.
   *
   * @throws ConclaveError `UNAVAILABLE` if there is none
   */
  pick(options?: PickOptions): Picked<Metadata>;
}

const ejectionSchema = z.strictObject({
  failures: z.number().int().min(1).optional(),
  ejectMs: z.number().min(0).optional(),
  ejectMsMax: z.number().min(0).optional(),
  share: z.number().min(0).max(1).optional(),
});
const pickerSchema = z.object({
  service: z.string().optional(),
  policy: z
    .union([
      z.enum(["round-robin", "weighted", "least-pending", "power-of-two", "consistent-hash"]),
      z.custom<Balancer>(
        (value) => typeof value === "object" && value !== null && "pick" in value,
        "must be a policy or a balancer",
      ),
    ])
    .optional(),
  zone: z.string().optional(),
  ejection: z.union([z.literal(false), ejectionSchema]).optional(),
});

/**
 * Chooses among the instances of a live set.
 *
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createPicker<Metadata>(set: LiveSet<Metadata>, options: PickerOptions): Picker<Metadata> {
  check(pickerSchema, options, "picker");
  return new SetPicker(set, options);
}

const policies: Readonly<Record<BalancingPolicy, (ports: Pick<PickerOptions, "clock" | "random">) => Balancer>> = {
  "round-robin": (ports) => new RoundRobin(ports),
  weighted: () => new SmoothWeighted(),
  "least-pending": (ports) => new LeastPending(ports),
  "power-of-two": (ports) => new PowerOfTwoChoices(ports),
  "consistent-hash": () => new ConsistentHash(),
};

function balancerOf({ policy = "power-of-two", zone, clock, random }: PickerOptions): Balancer {
  const balancer = typeof policy === "string" ? policies[policy]({ clock, random }) : policy;
  return zone === undefined ? balancer : new ZoneFirst(balancer, { zone });
}

class SetPicker<Metadata> implements Picker<Metadata> {
  readonly set: LiveSet<Metadata>;
  readonly #service: string | undefined;
  readonly #clock: Clock;
  readonly #balancer: Balancer;
  readonly #ejection: OutlierEjection | undefined;
  #listed: readonly Instance<Metadata>[] | undefined;
  #candidates: readonly Instance<Metadata>[] = [];

  constructor(set: LiveSet<Metadata>, options: PickerOptions) {
    const { clock, ejection = {} } = options;
    this.set = set;
    this.#service = options.service;
    this.#clock = clock;
    this.#balancer = balancerOf(options);
    this.#ejection = ejection === false ? undefined : new OutlierEjection({ ...ejection, clock });
  }

  pick({ key, except }: PickOptions = {}): Picked<Metadata> {
    const candidates = this.#eligible();
    const admitted = this.#ejection?.admit(candidates) ?? candidates;
    // Those that were left out are still better than nobody.
    const instance =
      this.#balancer.pick(without(admitted, except), key) ?? this.#balancer.pick(without(candidates, except), key);
    if (instance === undefined) throw this.#nobody(except);
    return this.#begin(instance);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.set[Symbol.asyncDispose]();
  }

  #begin(instance: Instance<Metadata>): Picked<Metadata> {
    const startMs = this.#clock.monotonicMs();
    let isOver = false;
    this.#balancer.started?.(instance);
    return {
      instance,
      done: (result) => {
        if (isOver) return;
        isOver = true;
        this.#balancer.finished?.(instance, { result, latencyMs: this.#clock.monotonicMs() - startMs });
        this.#ejection?.finished(instance, result);
      },
    };
  }

  /** Those that take requests, the same array until they change. */
  #eligible(): readonly Instance<Metadata>[] {
    const listed = this.set.instances({ service: this.#service, critical: true });
    if (listed === this.#listed) return this.#candidates;
    this.#listed = listed;
    const able = listed.filter(({ health }) => health !== "critical");
    const wanted = able.filter(({ weight }) => weight > 0);
    this.#candidates = [wanted, able, listed].find(({ length }) => length > 0) ?? [];
    return this.#candidates;
  }

  #nobody(except: ReadonlySet<string> | undefined): ConclaveError {
    const others = except === undefined || except.size === 0 ? "" : ` other than ${[...except].join(", ")}`;
    const what = this.#service === undefined ? "any service" : `"${this.#service}"`;
    const message = `There is no instance of ${what} to send a request to${others}`;
    return new ConclaveError("UNAVAILABLE", message, { retryable: true });
  }
}

/** Retries are rare: a new array costs policies what they have prepared for the other, and nobody else anything. */
function without<Metadata>(
  instances: readonly Instance<Metadata>[],
  except: ReadonlySet<string> | undefined,
): readonly Instance<Metadata>[] {
  return except === undefined || except.size === 0 ? instances : instances.filter(({ id }) => !except.has(id));
}
