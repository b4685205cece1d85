/**
 * @module Every write of the SDK through a proxy that loses an answer after the member has carried the request out: each
 * answer of each call in turn. What the store went through afterwards is compared with what it goes through when nothing is
 * lost: a call that succeeds has had its effect once, and one whose outcome it calls unknown was not sent again.
 */
import { type Client, type Interceptor, isConclaveError, prefix, TransportError } from "@conclave/client";
import { anyJson, createConfig, publishRelease } from "@conclave/config";
import { createElection } from "@conclave/election";
import { createLock, createSemaphore } from "@conclave/lock";
import { GrpcStatus } from "@conclave/protocol";
import { createTopic, type GroupDelivery, type GroupOptions } from "@conclave/pubsub";
import {
  createBarrier,
  createCounter,
  createDelayQueue,
  createMembership,
  createPriorityQueue,
  createQueue,
} from "@conclave/recipes";
import { createRegistry, type Registration } from "@conclave/registry";
import { SimulatedCluster } from "@conclave/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const writes = /\/(Put|DeleteRange|Txn|LeaseGrant|LeaseRevoke)$/;

/** Loses the answer to one of the writes that pass while it is on. */
class LossyProxy {
  /** What was sent, in order. */
  readonly sent: string[] = [];
  isOn = false;
  readonly #losing: number | undefined;

  /** @param losing - which of the writes loses its answer, from 1; undefined: none */
  constructor(losing: number | undefined) {
    this.#losing = losing;
  }

  /** The request whose answer was lost. */
  get lost(): string | undefined {
    return this.#losing === undefined ? undefined : this.sent[this.#losing - 1];
  }

  readonly interceptor: Interceptor = (next) => async (request) => {
    const response = await next(request);
    if (!this.isOn || request.stream || !writes.test(request.path)) return response;
    this.sent.push(`${request.path} ${Buffer.from(request.request).toString("base64")}`);
    if (this.sent.length === this.#losing) throw new TransportError(GrpcStatus.Unavailable, "the answer was lost");
    return response;
  };
}

/** Where a call is made. */
interface Place {
  /** Behind the proxy. */
  readonly client: Client;
  /** What all keys of it start with; ends with a slash. */
  readonly root: string;
}

/** Makes ready without a loss, and gives the call to be made. */
type Preparation = (place: Place) => Promise<() => Promise<unknown>> | (() => Promise<unknown>);

/** What a call comes to when an answer is lost: it is `done`, or it says that its outcome is `unknown`. */
type Outcome = "done" | "unknown";

const addresses = { http: "http://10.0.0.7:8080" };

function register({ client, root }: Place): Promise<Registration> {
  return createRegistry(client, { prefix: root }).register({ service: "orders", id: "one", addresses });
}

function configOf({ client, root }: Place, name = "limits") {
  return createConfig(client, `${root}${name}`, { schema: anyJson });
}

async function grayConfig(place: Place) {
  const config = configOf(place);
  await config.publish({ limit: 1 });
  await config.gray.start({ limit: 2 }, { durationMs: 600_000 });
  return config;
}

function topicOf({ client, root }: Place) {
  return createTopic<string>(client, "jobs", { prefix: root });
}

async function delivered(place: Place, options: GroupOptions = {}): Promise<GroupDelivery<string>> {
  const topic = topicOf(place);
  await topic.publish("job", { id: "one" });
  const member = await topic.group("workers", options).join();
  for await (const delivery of member.messages()) return delivery;
  throw new Error("no message came");
}

const registryCalls: Readonly<Record<string, Preparation>> = {
  "registry: register": (place) => async () => (await register(place)).instance,
  "registry: registerAll": ({ client, root }) => {
    const definitions = ["one", "two", "three"].map((id) => ({ service: "orders", id, addresses }));
    return async () => (await createRegistry(client, { prefix: root }).registerAll(definitions)).length;
  },
  "registry: update": async (place) => {
    const registration = await register(place);
    return () => registration.update({ weight: 3 });
  },
  "registry: drain": async (place) => {
    const registration = await register(place);
    return () => registration.drain({ graceMs: 100 });
  },
  "registry: deregister": async (place) => {
    const registration = await register(place);
    return () => registration.deregister();
  },
};

const configCalls: Readonly<Record<string, Preparation>> = {
  "config: publish": (place) => () => configOf(place).publish({ limit: 1 }),
  "config: release": (place) => async () => {
    const drafts = ["a", "b"].map((name) => configOf(place, name).draft({ limit: 1 }));
    return (await publishRelease(place.client, drafts)).versions;
  },
  "config: rollback": async (place) => {
    const config = configOf(place);
    for (const limit of [1, 2]) await config.publish({ limit });
    return () => config.rollback();
  },
  "config: start of a gray release": async (place) => {
    const config = configOf(place);
    await config.publish({ limit: 1 });
    return async () => (await config.gray.start({ limit: 2 }, { durationMs: 600_000 })).value;
  },
  "config: end of a gray release": async (place) => {
    const config = await grayConfig(place);
    return () => config.gray.end();
  },
  "config: promotion of a gray release": async (place) => {
    const config = await grayConfig(place);
    return () => config.gray.promote();
  },
};

const pubsubCalls: Readonly<Record<string, Preparation>> = {
  "pubsub: publish": (place) => () => topicOf(place).publish("job"),
  "pubsub: publishLater": (place) => async () =>
    (await topicOf(place).publishLater("job", { dueAt: new Date(2e12) })).dueAt,
  "pubsub: moveDue": async (place) => {
    await topicOf(place).publishLater("job", { dueAt: new Date(0) });
    // How many this call moved is told as far as it is known.
    return async () => void (await topicOf(place).moveDue());
  },
  "pubsub: trim": async (place) => {
    for (const message of ["one", "two", "three"]) await topicOf(place).publish(message);
    return async () => void (await topicOf(place).trim({ keep: 1 }));
  },
  "pubsub: acknowledgement of a subscription": async (place) => {
    await topicOf(place).publish("job");
    for await (const delivery of topicOf(place).subscription("mailer").messages()) return () => delivery.ack();
    throw new Error("no message came");
  },
  "pubsub: join of a group": (place) => async () => (await topicOf(place).group("workers").join()).inFlight,
  "pubsub: delivery to a group": async (place) => {
    await topicOf(place).publish("job");
    const member = await topicOf(place).group("workers").join();
    return async () => {
      for await (const { message, deliveries } of member.messages()) return { message, deliveries };
      return undefined;
    };
  },
  "pubsub: acknowledgement in a group": async (place) => {
    const delivery = await delivered(place);
    return () => delivery.ack();
  },
  "pubsub: giving back in a group": async (place) => {
    const delivery = await delivered(place);
    return () => delivery.nack({ delayMs: 600_000 });
  },
  "pubsub: asking for more time": async (place) => {
    const delivery = await delivered(place);
    return () => delivery.extend();
  },
  "pubsub: dead letter": async (place) => {
    const topic = topicOf(place);
    await topic.publish("job", { id: "one" });
    const member = await topic.group("workers", { deadLetter: { maxDeliveries: 1 } }).join();
    for await (const delivery of member.messages()) {
      await delivery.nack({ delayMs: 1_000 });
      break;
    }
    return async () => {
      const buried = new Promise<unknown>((resolve) => member.on("deadLetter", ({ id }) => resolve(id)));
      const over = new AbortController();
      const next = member.messages({ signal: over.signal }).next();
      const id = await buried;
      over.abort();
      await next;
      return id;
    };
  },
  "pubsub: removal of a group": async (place) => {
    await delivered(place);
    return () => topicOf(place).group("workers").remove();
  },
};

const ownershipCalls: Readonly<Record<string, Preparation>> = {
  "lock: acquire":
    ({ client, root }) =>
    async () =>
      (await createLock(client, `${root}lock`).acquire()).held,
  "lock: release": async ({ client, root }) => {
    const held = await createLock(client, `${root}lock`).acquire();
    return () => held.release();
  },
  "lock: permit of a semaphore":
    ({ client, root }) =>
    async () =>
      (await createSemaphore(client, `${root}semaphore`, { permits: 2 }).acquire()).held,
  "election: campaign":
    ({ client, root }) =>
    async () =>
      (await createElection(client, `${root}election`).campaign("me")).held,
  "election: resign": async ({ client, root }) => {
    const leadership = await createElection(client, `${root}election`).campaign("me");
    return () => leadership.resign();
  },
};

const recipeCalls: Readonly<Record<string, Preparation>> = {
  "recipes: addition to a counter":
    ({ client, root }) =>
    () =>
      createCounter(client, `${root}counter`).add(5),
  "recipes: enqueue":
    ({ client, root }) =>
    () =>
      createQueue<number>(client, `${root}queue`).enqueue(1),
  "recipes: enqueue by priority":
    ({ client, root }) =>
    () =>
      createPriorityQueue<number>(client, `${root}queue`).enqueue(1, { priority: 3 }),
  "recipes: hold of a barrier":
    ({ client, root }) =>
    async () =>
      (await createBarrier(client, `${root}barrier`).hold()).held,
  "recipes: release of a barrier": async ({ client, root }) => {
    const held = await createBarrier(client, `${root}barrier`).hold();
    return () => held.release();
  },
  "recipes: join of a membership":
    ({ client, root }) =>
    async () =>
      (await createMembership(client, `${root}group`).join("me", 1)).id,
  "recipes: leave of a membership": async ({ client, root }) => {
    const participation = await createMembership(client, `${root}group`).join("me", 1);
    return () => participation.leave();
  },
};

/** Those that nothing tells apart from a second one: they are sent once. */
const honestCalls: Readonly<Record<string, Preparation>> = {
  "client: put":
    ({ client, root }) =>
    () =>
      client.put(`${root}key`, "1").then(() => "put"),
  "client: delete": async ({ client, root }) => {
    await client.put(`${root}key`, "1");
    return () => client.delete(`${root}key`).then(() => "deleted");
  },
  "election: proclaim": async ({ client, root }) => {
    const leadership = await createElection(client, `${root}election`).campaign("me");
    return () => leadership.proclaim("still me");
  },
  "recipes: dequeue": async ({ client, root }) => {
    const queue = createQueue<number>(client, `${root}queue`);
    for (const item of [1, 2]) await queue.enqueue(item);
    return () => queue.dequeue();
  },
  "recipes: dequeue by time": async ({ client, root }) => {
    const queue = createDelayQueue<number>(client, `${root}queue`);
    for (const item of [1, 2]) await queue.enqueue(item, { dueAt: new Date(0) });
    return () => queue.tryDequeue();
  },
};

const doneCalls = { ...registryCalls, ...configCalls, ...pubsubCalls, ...ownershipCalls, ...recipeCalls };
const calls: readonly (readonly [name: string, outcome: Outcome, preparation: Preparation])[] = [
  ...Object.entries(doneCalls).map(([name, preparation]) => [name, "done", preparation] as const),
  ...Object.entries(honestCalls).map(([name, preparation]) => [name, "unknown", preparation] as const),
];

/** What a call came to. */
interface Trial {
  readonly outcome: Outcome;
  /** What it gave back, without what is another thing each time. */
  readonly value: string;
  /** What became of the keys, likewise. */
  readonly events: readonly string[];
  /** How many leases there are more than before. */
  readonly leases: number;
  readonly proxy: LossyProxy;
}

/** Without ids, revisions and times. */
function plain(text: string): string {
  return text.replace(/[0-9a-f]{8,}/g, "<id>").replace(/\d{2,}/g, "<n>");
}

describe("a call whose answer is lost", { timeout: 120_000 }, () => {
  const cluster = new SimulatedCluster({ seed: 18, members: 1 });
  let observer: Client;
  let trials = 0;
  beforeAll(async () => {
    await cluster.run(() => cluster.start());
    observer = cluster.client().client;
  });
  afterAll(() => cluster.run(() => observer.close()));

  async function eventsOf(root: string, from: number): Promise<readonly string[]> {
    const events: string[] = [];
    await observer.put(`${root}~end`, "");
    for await (const batch of observer.watch(prefix(root), { from }))
      for (const { type, kv } of batch.events) {
        if (kv.keyString === `${root}~end`) return events.sort();
        events.push(plain(`${type} ${kv.keyString.slice(root.length)}`));
      }
    return events;
  }

  async function run(preparation: Preparation, losing: number | undefined): Promise<Trial> {
    const proxy = new LossyProxy(losing);
    const { client } = cluster.client({ interceptors: [proxy.interceptor] });
    const root = `trial-${trials++}/`;
    const call = await preparation({ client, root });
    await cluster.sleep(100);
    const { revision } = await observer.put("beside", "");
    const leasesBefore = (await observer.lease.list()).length;
    proxy.isOn = true;
    const ended = await call().then(
      (value) => ({ outcome: "done" as const, value: plain(JSON.stringify(value) ?? "nothing") }),
      (error: unknown) => {
        if (!isConclaveError(error, "OUTCOME_UNKNOWN")) throw error;
        return { outcome: "unknown" as const, value: "" };
      },
    );
    proxy.isOn = false;
    await cluster.sleep(2_000);
    const leases = (await observer.lease.list()).length - leasesBefore;
    const events = await eventsOf(root, revision + 1);
    await client.close();
    return { ...ended, events, leases, proxy };
  }

  test.each(calls)("%s: %s", async (_name, outcome, preparation) => {
    await cluster.run(async () => {
      const whole = await run(preparation, undefined);
      expect([whole.outcome, whole.proxy.sent.length > 0]).toEqual(["done", true]);
      const outcomes = new Set<Outcome>();
      for (let losing = 1; losing <= whole.proxy.sent.length; losing++) {
        const trial = await run(preparation, losing);
        outcomes.add(trial.outcome);
        const { value, events, leases, proxy } = trial;
        if (trial.outcome === "done") expect({ value, events, leases }).toEqual(effectOf(whole));
        else {
          expect(proxy.sent.filter((request) => request === proxy.lost)).toHaveLength(1);
          expect(whole.events).toEqual(expect.arrayContaining([...events]));
          expect(events.length).toBeLessThanOrEqual(whole.events.length);
        }
      }
      expect(outcomes.has("unknown")).toBe(outcome === "unknown");
    });
  });
});

function effectOf({ value, events, leases }: Trial): Pick<Trial, "value" | "events" | "leases"> {
  return { value, events, leases };
}
