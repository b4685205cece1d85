/** @module What a storm of logins does to those who write meanwhile: the time of a put, with it and without. */
import { AuthDefinition, PutRequest } from "@conclave/protocol/etcdserverpb";
import { median } from "../compare.ts";
import { type KvClient, methodOf, methods, openKvClient } from "../kv-client.ts";
import type { Load } from "../load.ts";
import type { Subject } from "../subject.ts";

const auth = {
  enable: methodOf(AuthDefinition, AuthDefinition.methods.authEnable),
  authenticate: methodOf(AuthDefinition, AuthDefinition.methods.authenticate),
  userAdd: methodOf(AuthDefinition, AuthDefinition.methods.userAdd),
  userGrantRole: methodOf(AuthDefinition, AuthDefinition.methods.userGrantRole),
} as const;

const root = { name: "root", password: "bench" };
const put = PutRequest.fromPartial({ key: Buffer.from("bench/key-of-the-load"), value: Buffer.alloc(256, "v") });
/** Clients that log in, one login after the other; every second one in the name of somebody there is not. */
const stormClients = 8;
const measuredMs = 3_000;

async function prepare({ url }: Subject): Promise<void> {
  using client = openKvClient(url);
  await client.call(auth.userAdd, { ...root, options: undefined, hashedPassword: "" });
  await client.call(auth.userGrantRole, { user: "root", role: "root" });
  await client.call(auth.enable, {});
}

/** The time of puts, one after the other, in microseconds. */
async function putUs(client: KvClient, token: string): Promise<number> {
  const took: number[] = [];
  const endMs = performance.now() + measuredMs;
  while (performance.now() < endMs) {
    const sentMs = performance.now();
    await client.call(methods.put, put, token);
    took.push((performance.now() - sentMs) * 1_000);
  }
  return median(took);
}

/** Logs in until it is told to stop. */
async function logIn(url: string, at: number, signal: AbortSignal): Promise<void> {
  using client = openKvClient(url);
  for (let count = 0; !signal.aborted; count++) {
    const name = at % 2 === 0 ? root.name : `nobody-${at}-${count}`;
    // That it fails is half of the storm.
    await client.call(auth.authenticate, { ...root, name }).catch(() => undefined);
  }
}

async function underStorm<R>(url: string, measure: () => Promise<R>): Promise<R> {
  const controller = new AbortController();
  const storm = Array.from({ length: stormClients }, (_, at) => logIn(url, at, controller.signal));
  try {
    return await measure();
  } finally {
    controller.abort();
    await Promise.all(storm);
  }
}

async function measurePuts({ url }: Subject, storm: "storm" | "calm"): Promise<number> {
  using client = openKvClient(url);
  const { token } = await client.call(auth.authenticate, root);
  const measure = () => putUs(client, token);
  return await (storm === "storm" ? underStorm(url, measure) : measure());
}

async function ratio(subject: Subject): Promise<number> {
  const calmUs = await measurePuts(subject, "calm");
  return (await measurePuts(subject, "storm")) / calmUs;
}

const times = { unit: "us/put", better: "lower", prepare } as const;

/** The loads. */
export const loginLoads: readonly Load[] = [
  { ...times, name: "login-calm", measure: async (subject) => ({ value: await measurePuts(subject, "calm") }) },
  { ...times, name: "login-storm", measure: async (subject) => ({ value: await measurePuts(subject, "storm") }) },
  {
    ...times,
    name: "login-ratio",
    unit: "storm / calm",
    measure: async (subject) => ({ value: await ratio(subject) }),
  },
];
