/** @module Requests to services: `http://orders.service/` goes to a live instance of `orders`. */
import { ConclaveError } from "@conclave/client";
import type { BalanceOptions, Picked, Picker, Registry } from "@conclave/registry";
import { Agent, DecoratorHandler, Dispatcher } from "undici";
import { z } from "zod";
import { Attempt, type Outlet } from "./attempt.ts";

/** How requests find their instances. */
export interface ServiceDispatcherOptions extends Pick<BalanceOptions, "policy" | "zone" | "ejection" | "protection"> {
  /** What the names of hosts end with that are services; others are left to the agent. Default: `.service`. */
  readonly suffix?: string | undefined;
  /**
   * How many further instances are tried when one cannot be connected to. What was sent is never sent again. Default: 2.
   */
  readonly retries?: number | undefined;
  /**
   * Most services that are followed at once, from 1: of more the one that was asked for longest ago is followed no longer,
   * and again from its next request on. Bounds what hosts chosen by others can cost. Default: 1 000.
   */
  readonly servicesMax?: number | undefined;
  /** Moves the bytes. It is closed with the dispatcher. Default: an agent of undici. */
  readonly agent?: Dispatcher | undefined;
}

const optionsSchema = z.object({
  suffix: z.string().startsWith(".", "must start with a dot").optional(),
  retries: z.number().int().min(0).optional(),
  servicesMax: z.number().int().min(1).optional(),
  agent: z.instanceof(Dispatcher).optional(),
});

/**
 * Makes a dispatcher for `fetch` and undici. A service is followed from the first request to it; the protocol of the URL
 * (`http` or `https`) says which address of an instance is meant.
 *
 * @example
 * ```ts
 * const dispatcher = createServiceDispatcher(createRegistry(client));
 * const response = await fetch("http://orders.service/today", { dispatcher });
 * ```
 * @throws ConclaveError `INVALID_ARGUMENT`
 */
export function createServiceDispatcher(
  registry: Pick<Registry<unknown>, "balance">,
  options: ServiceDispatcherOptions = {},
): Dispatcher {
  const checked = optionsSchema.safeParse(options);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw new ConclaveError("INVALID_ARGUMENT", `Invalid dispatcher: ${issue?.path.join(".")} ${issue?.message}`);
  }
  return new ServiceDispatcher(registry, options);
}

/** A request on its way to some instance. */
interface Journey {
  readonly options: Dispatcher.DispatchOptions;
  readonly protocol: string;
  readonly picker: Picker<unknown>;
  readonly outlet: Outlet;
  /** The instances that could not be connected to, by id. */
  readonly tried: ReadonlySet<string>;
  /** Why the last of them could not. */
  readonly error?: Error;
}

class ServiceDispatcher extends Dispatcher {
  readonly #registry: Pick<Registry<unknown>, "balance">;
  readonly #balanceOptions: BalanceOptions;
  readonly #suffix: string;
  readonly #retries: number;
  readonly #servicesMax: number;
  readonly #agent: Dispatcher;
  /** By service, the one asked for longest ago first. */
  readonly #pickers = new Map<string, Promise<Picker<unknown>>>();
  #isClosed = false;

  constructor(registry: Pick<Registry<unknown>, "balance">, options: ServiceDispatcherOptions) {
    super();
    const { suffix = ".service", retries = 2, servicesMax = 1_000, agent = new Agent(), ...balanceOptions } = options;
    this.#registry = registry;
    this.#balanceOptions = balanceOptions;
    this.#suffix = suffix;
    this.#retries = retries;
    this.#servicesMax = servicesMax;
    this.#agent = agent;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const url = new URL(String(options.origin));
    if (!url.hostname.endsWith(this.#suffix)) return this.#agent.dispatch(options, handler);
    const service = url.hostname.slice(0, -this.#suffix.length);
    // Takes both forms of handlers, that of Node's own fetch too, and has every method of the present one.
    const outlet = new DecoratorHandler(handler) as unknown as Outlet;
    void this.#send(service, { options, protocol: url.protocol.slice(0, -1), outlet });
    return true;
  }

  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | undefined {
    return settle(
      this.#end(() => this.#agent.close()),
      callback,
    );
  }

  override destroy(): Promise<void>;
  override destroy(error: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | undefined {
    const [reason, done] = typeof error === "function" ? [null, error] : [error ?? null, callback];
    return settle(
      this.#end(() => this.#agent.destroy(reason)),
      done,
    );
  }

  async #end(endAgent: () => Promise<void>): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await endAgent();
    const pickers = await Promise.allSettled(this.#pickers.values());
    for (const picker of pickers) if (picker.status === "fulfilled") picker.value.set.close();
  }

  async #send(service: string, journey: Omit<Journey, "picker" | "tried">): Promise<void> {
    try {
      this.#go({ ...journey, picker: await this.#pickerOf(service), tried: new Set() });
    } catch (error) {
      refuse(journey.outlet, error);
    }
  }

  /** Follows a service from now on; if that fails, the next request tries again. */
  #pickerOf(service: string): Promise<Picker<unknown>> {
    if (this.#isClosed) throw new ConclaveError("CLOSED", "The dispatcher was closed");
    const known = this.#pickers.get(service);
    if (known !== undefined) {
      this.#pickers.delete(service);
      this.#pickers.set(service, known);
      return known;
    }
    const opening = this.#registry.balance(service, this.#balanceOptions);
    this.#pickers.set(service, opening);
    this.#dropOldest();
    const forget = (): void => {
      if (this.#pickers.get(service) === opening) this.#pickers.delete(service);
    };
    opening.then(({ set }) => set.once("end", forget), forget);
    return opening;
  }

  /** Requests under way go on with what was last known of their service. */
  #dropOldest(): void {
    const [oldest] = this.#pickers;
    if (this.#pickers.size <= this.#servicesMax || oldest === undefined) return;
    const [service, picker] = oldest;
    this.#pickers.delete(service);
    picker.then(({ set }) => set.close()).catch(() => {}); // One that could not be opened follows nothing.
  }

  #go(journey: Journey): void {
    const { options, protocol, outlet } = journey;
    const picked = pickOf(journey);
    const { id, addresses } = picked.instance;
    const tried = new Set([...journey.tried, id]);
    const onUnsent = (error: Error): void => {
      if (tried.size > this.#retries) refuse(outlet, error);
      else orRefuse(outlet, () => this.#go({ ...journey, tried, error }));
    };
    const address = addresses[protocol];
    if (address === undefined) {
      picked.done("canceled");
      onUnsent(new ConclaveError("UNAVAILABLE", `Instance "${id}" has no address of ${protocol}`));
      return;
    }
    this.#agent.dispatch({ ...options, origin: new URL(address).origin }, new Attempt(picked, { outlet, onUnsent }));
  }
}

/** An instance that was not tried yet. When all were, the error of the last one says more than that there is no other. */
function pickOf({ picker, tried, error }: Journey): Picked<unknown> {
  try {
    return picker.pick({ except: tried });
  } catch (nobody) {
    throw error ?? nobody;
  }
}

function orRefuse(outlet: Outlet, work: () => void): void {
  try {
    work();
  } catch (error) {
    refuse(outlet, error);
  }
}

/** Ends a request that was never sent. */
function refuse(outlet: Outlet, error: unknown): void {
  const reason = error instanceof Error ? error : new Error(String(error));
  outlet.onResponseError(new UnsentController(reason), reason);
}

/** The controller of a request that was never sent: there is nothing to stop. */
class UnsentController implements Dispatcher.DispatchController {
  readonly aborted = true;
  readonly paused = false;
  readonly reason: Error;

  constructor(reason: Error) {
    this.reason = reason;
  }

  abort(): void {}
  pause(): void {}
  resume(): void {}
}

function settle(ending: Promise<void>, callback: (() => void) | undefined): Promise<void> | undefined {
  if (callback === undefined) return ending;
  ending.then(callback, callback);
  return undefined;
}
