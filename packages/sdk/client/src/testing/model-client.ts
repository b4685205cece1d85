import { type VirtualTime, virtualTime } from "@conclave/testkit";
import { type Client, type ClientOptions, createClient } from "../client.ts";
import { FakeNetwork } from "./fake-network.ts";
import { ModelMember, type ModelMemberOptions } from "./model-member.ts";
import { ModelStore } from "./model-store.ts";

/** A client on virtual time, and the members it talks to. */
export interface ModelCluster {
  readonly time: VirtualTime;
  readonly network: FakeNetwork;
  readonly store: ModelStore;
  /** The members, by their endpoints `m1:1`, `m2:1`, … */
  readonly members: readonly ModelMember[];
  readonly client: Client;
}

/** Makes a client of so many model members. */
export function modelCluster(
  options: ModelMemberOptions & {
    readonly members?: number;
    readonly seed?: number;
    readonly client?: ClientOptions;
  } = {},
): ModelCluster {
  const time = virtualTime(options.seed ?? 1);
  const store = new ModelStore();
  const network = new FakeNetwork();
  const endpoints = Array.from({ length: options.members ?? 1 }, (_, index) => `m${index + 1}:1`);
  const members = endpoints.map((endpoint) => {
    const member = new ModelMember(store, time, options);
    network.members.set(endpoint, member);
    return member;
  });
  const client = createClient({
    endpoints,
    transport: network,
    clock: time,
    scheduler: time,
    random: time.random,
    ...options.client,
  });
  return { time, network, store, members, client };
}
