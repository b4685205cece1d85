/** @module Runs a scenario against one server and writes down what it answers. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Codec } from "@conclave/protocol";
import type { Driver, DriverStream, Outcome, PendingCall } from "./grpc-driver.ts";
import {
  type Awaited,
  alarm,
  type CallStep,
  del,
  leases,
  type Marker,
  type Method,
  range,
  revoke,
  type Scenario,
  type Step,
  status,
} from "./scenario.ts";
import { createNormaliser, type Normaliser, type WatchAnswer } from "./transcript.ts";

/** What one step showed. */
export interface Shown {
  readonly step: string;
  readonly shown: unknown;
  /** What is known to differ here, as noted at the step. */
  readonly differs: NonNullable<Step["differs"]>;
}

const waitMs = 10_000;
const pollMs = 20;

/**
 * Empties the server, runs the scenario and returns what each step showed.
 *
 * @throws Error if something a step waits for does not come
 */
export async function runScenario(driver: Driver, scenario: Scenario): Promise<Shown[]> {
  const baseRevision = await empty(driver);
  const run = new Run(driver, scenario, { baseRevision, memberId: await memberIdOf(driver) });
  try {
    return await run.steps();
  } finally {
    run.stop();
  }
}

interface Start {
  readonly baseRevision: number;
  readonly memberId: bigint;
}

class Run {
  readonly #driver: Driver;
  readonly #scenario: Scenario;
  readonly #start: Start;
  readonly #normaliser: Normaliser;
  readonly #kept = new Map<string, object>();
  readonly #calls = new Map<string, PendingCall>();
  readonly #streams = new Map<string, { readonly method: Method; readonly stream: DriverStream }>();

  constructor(driver: Driver, scenario: Scenario, start: Start) {
    this.#driver = driver;
    this.#scenario = scenario;
    this.#start = start;
    this.#normaliser = createNormaliser({
      ...start,
      chosenIds: new Set(bigintsIn(scenario.steps)),
      errorTexts: scenario.anyErrorText !== true,
    });
  }

  async steps(): Promise<Shown[]> {
    const shown: Shown[] = [];
    for (const [at, step] of this.#scenario.steps.entries()) {
      const title = `${at} ${step.kind} ${"method" in step ? step.method.name : "name" in step ? step.name : ""}`;
      shown.push({ step: title.trim(), shown: await this.#show(step), differs: step.differs ?? {} });
    }
    return shown;
  }

  /** Lets go of whatever is still under way. */
  stop(): void {
    for (const call of this.#calls.values()) call.cancel();
    for (const { stream } of this.#streams.values()) stream.cancel();
  }

  async #show(step: Step): Promise<unknown> {
    switch (step.kind) {
      case "call":
        return this.#normaliser.outcome(await this.#call(step));
      case "raw":
        return this.#normaliser.outcome(await this.#driver.callRaw(step.path, step.bytes).outcome);
      case "start":
        this.#calls.set(step.name, this.#begin(step.call));
        return undefined;
      case "finish":
        return this.#finish(step.name);
      case "cancel":
        this.#calls.get(step.name)?.cancel();
        this.#streams.get(step.name)?.stream.cancel();
        return undefined;
      case "eventually":
        return this.#eventually(step);
      case "open":
        return this.#open(step);
      case "send":
        return this.#send(step.name, step.request);
      case "receive":
        return this.#receive(step.name, step.awaited, step.as);
      case "end":
        return this.#streamNamed(step.name).stream.end();
    }
  }

  #begin({ method, request, token }: CallStep): PendingCall {
    return this.#driver.call(method, this.#message(method, request), this.#metadata(token));
  }

  #metadata(token: string | Marker | undefined): Readonly<Record<string, string>> {
    if (token === undefined) return {};
    return { token: typeof token === "string" ? token : String(this.#markerValue(token)) };
  }

  async #call(step: CallStep): Promise<Outcome> {
    const outcome = await this.#begin(step).outcome;
    if (outcome.kind === "reply" && step.as !== undefined) this.#kept.set(step.as, outcome.message);
    return outcome;
  }

  async #finish(name: string): Promise<unknown> {
    const outcome = await this.#calls.get(name)?.outcome;
    if (outcome === undefined) throw new TypeError(`Cannot finish as no call was begun under the name "${name}"`);
    if (outcome.kind === "reply") this.#kept.set(name, outcome.message);
    return this.#normaliser.outcome(outcome);
  }

  async #eventually({ call, field, equals }: Extract<Step, { kind: "eventually" }>): Promise<unknown> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      const outcome = await this.#call(call);
      if (outcome.kind === "reply" && fieldOf(outcome.message, field) === equals) {
        return this.#normaliser.outcome(outcome);
      }
      if (performance.now() > deadline) {
        throw new Error(`Cannot go on as ${call.method.name} never answered ${field} = ${equals}`);
      }
      await sleep(pollMs);
    }
  }

  #open({ name, method, request, token }: Extract<Step, { kind: "open" }>): void {
    const first = request === undefined ? undefined : this.#message(method, request);
    this.#streams.set(name, { method, stream: this.#driver.open(method, first, this.#metadata(token)) });
  }

  #send(name: string, request: object): void {
    const { method, stream } = this.#streamNamed(name);
    stream.send(this.#message(method, request));
  }

  async #receive(name: string, awaited: Awaited, as: string | undefined): Promise<unknown> {
    const { method, stream } = this.#streamNamed(name);
    const isWatch = method.name === "Watch.Watch";
    const messages: object[] = [];
    const deadline = performance.now() + waitMs;
    for (;;) {
      messages.push(...stream.take());
      if (isSatisfied(awaited, messages, stream)) break;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Error(`Cannot go on as the stream "${name}" brought only ${jsonOf(messages)}`);
      await Promise.race([stream.changed(), sleep(leftMs, undefined, { ref: false })]);
    }
    const last = messages.at(-1);
    if (as !== undefined && last !== undefined) this.#kept.set(as, last);
    const shown = isWatch
      ? this.#normaliser.watchAnswers(messages as WatchAnswer[])
      : messages.map((message) => this.#normaliser.normalise(message));
    const outcome = awaited.end === true ? stream.ended() : undefined;
    return outcome === undefined ? shown : { messages: shown, end: this.#normaliser.outcome(outcome) };
  }

  #streamNamed(name: string): { readonly method: Method; readonly stream: DriverStream } {
    const found = this.#streams.get(name);
    if (found === undefined) throw new TypeError(`Cannot go on as no stream was opened under the name "${name}"`);
    return found;
  }

  #message({ definition, name }: Method, request: object): object {
    const texts = name.startsWith("Auth.") ? authTexts : textFields;
    return (definition.requestType as GeneratedCodec).fromPartial(this.#resolve("", request, texts) as object);
  }

  /** Puts numbers in the place of markers and bytes in the place of strings. */
  #resolve(field: string, value: unknown, texts: ReadonlySet<string>): unknown {
    if (typeof value === "string") return texts.has(field) ? value : Buffer.from(value, "latin1");
    if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
    if (Array.isArray(value)) return value.map((each) => this.#resolve(field, each, texts));
    if ("marker" in value) return this.#markerValue(value as Marker);
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.#resolve(name, each, texts)]));
  }

  #markerValue(marker: Marker): unknown {
    if (marker.marker === "rev") return BigInt(this.#start.baseRevision + marker.offset);
    const value = fieldOf(this.#kept.get(marker.name) ?? {}, marker.field);
    if (value === undefined) throw new TypeError(`Cannot resolve as "${marker.name}" has no ${marker.field}`);
    return value;
  }
}

type GeneratedCodec = Codec<object> & { fromPartial(partial: object): object };

/** Fields that are text on the wire, not bytes. */
const textFields: ReadonlySet<string> = new Set(["$case", "peerURLs", "version"]);
/** The same of the Auth service, whose names are no bytes. */
const authTexts: ReadonlySet<string> = new Set(["name", "password", "user", "role"]);

function fieldOf(message: object, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((value, field) => (value as Record<string, unknown> | undefined)?.[field], message);
}

function isSatisfied(awaited: Awaited, messages: readonly object[], stream: DriverStream): boolean {
  if (awaited.end === true) return stream.ended() !== undefined;
  const eventCounts = messages.map((message) => ("events" in message ? (message.events as unknown[]).length : 1));
  const events = eventCounts.reduce((sum, count) => sum + count, 0);
  const controls = eventCounts.filter((count) => count === 0).length;
  return events >= (awaited.events ?? 0) && controls >= (awaited.controls ?? 0);
}

function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? `${each}` : each));
}

/** Every bigint a scenario writes down. */
function bigintsIn(value: unknown): bigint[] {
  if (typeof value === "bigint") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(bigintsIn);
}

/** Removes alarms, leases and keys; returns the revision that leaves. */
async function empty(driver: Driver): Promise<number> {
  const ask = async <Reply>({ method, request }: CallStep): Promise<Reply> => {
    const codec = method.definition.requestType as GeneratedCodec;
    const outcome = await driver.call(method, codec.fromPartial(request)).outcome;
    if (outcome.kind === "failure") throw new Error(`Cannot empty the server as ${method.name} says: ${outcome.text}`);
    return outcome.message as Reply;
  };
  const { alarms } = await ask<{ alarms: { memberID: bigint; alarm: 0 | 1 | 2 }[] }>(alarm());
  for (const each of alarms) await ask(alarm({ ...each, action: 2 }));
  const { leases: found } = await ask<{ leases: { ID: bigint }[] }>(leases());
  for (const { ID } of found) await ask(revoke({ ID }));
  const everything = { key: new Uint8Array(1), rangeEnd: new Uint8Array(1) };
  await ask(del(everything));
  const { header } = await ask<{ header: { revision: number } }>(range({ ...everything, countOnly: true }));
  return header.revision;
}

async function memberIdOf(driver: Driver): Promise<bigint> {
  const step = status();
  const outcome = await driver.call(step.method, {}).outcome;
  return outcome.kind === "reply" ? (outcome.message as { header: { memberId: bigint } }).header.memberId : 0n;
}
