import { wireErrors } from "@conclave/protocol";
import { Dispatcher, RpcError, type ServiceBinding } from "@conclave/rpc";
import type { SimulatedCall } from "./simulated-call.ts";
import type { NetworkMachine } from "./simulated-network.ts";

/** A member that serves clients. */
export interface FrontEnd extends NetworkMachine {
  /** Serves their calls, as behind HTTP/2. */
  readonly dispatcher: Dispatcher;
  /** The calls whose connection stands. */
  readonly calls: Set<SimulatedCall>;
}

/** etcd's: 1.5 MiB and 512 KiB for what is around it. */
const maxRequestBytes = 2 * 1024 * 1024;
const highWaterBytes = 64 * 1024;

/** Where clients reach the members of a simulation. */
export class FrontEnds {
  readonly #byEndpoint = new Map<string, FrontEnd>();
  readonly #machines = new Map<string, string>();
  readonly #onHandlerError: (error: unknown, path: string) => void;

  /** @param onHandlerError - is told of what a handler threw that carries no status: a fault of the program */
  constructor(onHandlerError: (error: unknown, path: string) => void) {
    this.#onHandlerError = onHandlerError;
  }

  /** Says which machine an endpoint leads to, whether it serves or not. */
  place(endpoint: string, machine: string): void {
    this.#machines.set(endpoint, machine);
  }

  /** The machine that an endpoint leads to; one that nobody has is the machine of that name. */
  machineOf(endpoint: string): string {
    return this.#machines.get(endpoint) ?? endpoint;
  }

  /** Serves clients at an endpoint, from now on. */
  serve(endpoint: string, machine: NetworkMachine, services: readonly ServiceBinding[]): void {
    const dispatcher = new Dispatcher({
      services,
      maxRequestBytes,
      highWaterBytes,
      onHandlerError: (error, { path }) => this.#onHandlerError(error, path),
    });
    this.#byEndpoint.set(endpoint, { ...machine, dispatcher, calls: new Set() });
  }

  /** Who serves at an endpoint. */
  find(endpoint: string): FrontEnd | undefined {
    return this.#byEndpoint.get(endpoint);
  }

  /** Ends every call as a member does that stops, and serves no more. */
  close(endpoint: string): void {
    const { status, text } = wireErrors.Stopped;
    for (const call of this.find(endpoint)?.dispatcher.openCalls ?? []) call.refuse(new RpcError(status, text));
    this.withdraw(endpoint);
  }

  /** Serves no more, as when the power fails: every connection breaks. */
  withdraw(endpoint: string): void {
    const frontEnd = this.find(endpoint);
    this.#byEndpoint.delete(endpoint);
    for (const call of frontEnd?.calls ?? []) call.onServerGone();
  }
}
