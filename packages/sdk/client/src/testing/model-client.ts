import { type VirtualTime, virtualTime } from "@conclave/testkit";
import { type Client, type ClientOptions, createClient } from "../client.ts";
import { FakeNetwork } from "./fake-network.ts";
import { ModelLessor } from "./model-lessor.ts";
import { ModelMember, type ModelMemberOptions } from "./model-member.ts";
import { ModelStore } from "./model-store.ts";

/** A client on virtual time, and the members it talks to. */
export interface ModelCluster {
  readonly time: VirtualTime;
  readonly network: FakeNetwork;
  readonly store: ModelStore;
  readonly lessor: ModelLessor;
  /** The members, by their endpoints `m1:1`, `m2:1`, … */
  readonly members: readonly ModelMember[];
  readonly client: Client;
}

/** Makes a client of so many model members. */
export function modelCluster(
  options: ModelMemberOptions & {
    readonly members?: number;
    readonly time?: VirtualTime;
    readonly client?: ClientOptions;
  } = {},
): ModelCluster {
  const time = options.time ?? virtualTime(1);
  const store = new ModelStore();
  const lessor = new ModelLessor(time);
  const network = new FakeNetwork();
  const endpoints = Array.from({ length: options.members ?? 1 }, (_, index) => `m${index + 1}:1`);
  const members = endpoints.map((endpoint) => {
    const member = new ModelMember({ store, lessor }, time, options);
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
  return { time, network, store, lessor, members, client };
}
