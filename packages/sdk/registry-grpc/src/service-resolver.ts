/** @module What tells one channel where the instances of its service are. */
import { isConclaveError } from "@conclave/client";
import type { Instance, LiveSet, Registry } from "@conclave/registry";
import { type experimental, Metadata, status } from "@grpc/grpc-js";

/** What resolvers are made with. */
export interface ResolverParts {
  /** Where instances are found. */
  readonly registry: Pick<Registry<unknown>, "discover">;
  /** Which of their addresses is meant. */
  readonly protocol: string;
  /** The zone that is preferred; undefined for none. */
  readonly zone: string | undefined;
  /** How the channel balances. */
  readonly loadBalancingConfig: readonly Readonly<Record<string, object>>[];
  /** The channel. */
  readonly listener: experimental.ResolverListener;
}

/**
 * Follows a service for a channel, from the first `updateResolution` to `destroy`, and again after that: an idle channel
 * lets go of its resolver.
 */
export class ServiceResolver implements experimental.Resolver {
  readonly #service: string;
  readonly #parts: ResolverParts;
  /** The following that counts: one that was let go finds another here, or none. */
  #following: AbortController | undefined;
  #set: LiveSet<unknown> | undefined;

  constructor(service: string, parts: ResolverParts) {
    this.#service = service;
    this.#parts = parts;
  }

  updateResolution(): void {
    if (this.#following === undefined) void this.#follow();
    // The channel wants to hear again what it was told, but never within its own call.
    else if (this.#set !== undefined) setImmediate(() => this.#tell());
  }

  destroy(): void {
    this.#following?.abort();
    this.#following = undefined;
    this.#set = undefined;
  }

  async #follow(): Promise<void> {
    const following = new AbortController();
    this.#following = following;
    try {
      await using set = await this.#parts.registry.discover(this.#service, { signal: following.signal });
      if (this.#following !== following) return;
      this.#set = set;
      set.on("change", () => this.#following === following && this.#tell());
      this.#tell();
      await ended(set);
      this.#fail(following, "the registry is no longer followed");
    } catch (error) {
      this.#fail(following, isConclaveError(error) ? error.message : String(error));
    }
  }

  /** Tells the channel that nothing is followed; it asks again when it has waited for a while. */
  #fail(following: AbortController, reason: string): void {
    if (this.#following !== following) return;
    this.#following = undefined;
    this.#set = undefined;
    this.#report({ ok: false, error: this.#unavailable(reason) });
  }

  #tell(): void {
    if (this.#set === undefined) return;
    const instances = this.#set.instances();
    const near = instances.filter(({ zone }) => zone === this.#parts.zone);
    const endpoints = (near.length > 0 ? near : instances).flatMap((instance) => this.#endpointOf(instance));
    if (endpoints.length > 0) this.#report({ ok: true, value: endpoints });
    else this.#report({ ok: false, error: this.#unavailable("there is no instance") });
  }

  #report(endpoints: experimental.StatusOr<experimental.Endpoint[]>): void {
    const { listener, loadBalancingConfig } = this.#parts;
    const serviceConfig = { loadBalancingConfig: [...loadBalancingConfig], methodConfig: [] };
    listener(endpoints, {}, { ok: true, value: serviceConfig }, `service ${this.#service}`);
  }

  #endpointOf({ addresses }: Instance<unknown>): experimental.Endpoint[] {
    const address = parseAddress(addresses[this.#parts.protocol]);
    return address === undefined ? [] : [{ addresses: [address] }];
  }

  #unavailable(reason: string): { code: status; details: string; metadata: Metadata } {
    const details = `Cannot resolve the service "${this.#service}": ${reason}`;
    return { code: status.UNAVAILABLE, details, metadata: new Metadata() };
  }
}

function ended(set: LiveSet<unknown>): Promise<void> {
  return new Promise((resolve) => set.once("end", () => resolve()));
}

/** `host:port`, `[v6]:port`, or either behind a scheme; undefined for anything else, which no channel could connect to. */
function parseAddress(text: string | undefined): experimental.SubchannelAddress | undefined {
  const parsed = /^(?:[a-z]+:\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]+)):(\d{1,5})\/?$/.exec(text ?? "");
  const [, v6, name, port] = parsed ?? [];
  const host = v6 ?? name;
  return host === undefined || Number(port) > 65_535 ? undefined : { host, port: Number(port) };
}
