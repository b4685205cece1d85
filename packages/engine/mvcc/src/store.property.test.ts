import { binaryString } from "@conclave/base";
import type {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  ResponseOp,
  TxnResponse,
} from "@conclave/protocol/etcdserverpb";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.ts";
import { createMvccStore, type MvccStore } from "./store.ts";
import { type Command, commands } from "./testing/arbitrary-commands.ts";
import { copyContent } from "./testing/copy-content.ts";
import { drain } from "./testing/drain.ts";
import { LeaseLedger } from "./testing/lease-ledger.ts";
import { describeKv, type ModelAnswer, ModelStore } from "./testing/model-store.ts";
import { all } from "./testing/requests.ts";

/** The leases that exist; commands also name another one. */
const leases = [1n, 2n] as const;

/** The store and the model side by side. */
class Pair {
  model = new ModelStore((lease) => leases.some((known) => known === lease));
  backend: MemoryBackend = createMemoryBackend();
  ledger = new LeaseLedger(...leases);
  store: MvccStore = createMvccStore({ backend: this.backend, leases: this.ledger });

  /** Runs a command on both and compares what they say. */
  async run(command: Command): Promise<void> {
    const before = this.model.compactRevision;
    if (command.kind === "restart") await this.restart();
    else expect(outcome(() => runOnStore(this.store, command))).toEqual(outcome(() => runOnModel(this.model, command)));
    expect(this.store.currentRevision).toBe(this.model.currentRevision);
    expect(this.store.compactRevision).toBe(this.model.compactRevision);
    const at = this.model.compactRevision;
    if (at !== before) this.compactions.push({ at, before });
  }

  async restart(): Promise<void> {
    await this.backend.commit();
    this.backend = this.backend.crash();
    this.ledger = new LeaseLedger(...leases);
    this.store = createMvccStore({ backend: this.backend, leases: this.ledger });
  }

  /** Takes over the content of another member, which this one must then have in all respects. */
  async takeOver(other: Pair): Promise<void> {
    await copyContent(other.backend, this.backend);
    this.ledger.attached.clear();
    for (const _ of this.store.reload());
    this.model = other.model;
    this.compactions = other.compactions;
  }

  /** Compares all that can be read now. */
  checkEverything(): void {
    const { compactRevision, currentRevision } = this.model;
    for (let revision = Math.max(compactRevision, 1); revision <= currentRevision; revision++) {
      const request = all({ revision: BigInt(revision) });
      expect(describeRange(this.store.range(request))).toEqual(this.model.range(request));
      this.checkHash(revision);
    }
    this.checkHistory(compactRevision + 1);
    this.checkLeases();
  }

  /** Each compaction with the compact revision before it, which a checksum that it left takes into account. */
  compactions: { readonly at: number; readonly before: number }[] = [];

  checkHash(revision: number): void {
    const { hash, hashRevision, compactRevision } = drain(this.store.hashKv(revision));
    const left = this.compactions.some(({ at, before }) => at === revision && before === compactRevision);
    expect(left || compactRevision === this.model.compactRevision).toBe(true);
    expect(hashRevision).toBe(revision);
    expect(hash).toBe(this.model.hashKv(revision, compactRevision) ?? hash);
  }

  checkHistory(from: number): void {
    const to = this.model.currentRevision + 1;
    const accepts = (key: string) => key !== "b";
    const events: unknown[] = [];
    for (let next = Math.max(from, 1); next < to; ) {
      const slice = this.store.eventsBetween({ fromRevision: next, toRevision: to, limit: 2, accepts });
      expect(slice.nextRevision).toBeGreaterThan(next);
      events.push(...slice.events.map(({ type, key, modRevision }) => ({ type, key, modRevision })));
      next = slice.nextRevision;
    }
    expect(events).toEqual(this.model.history(from, to, accepts));
  }

  checkLeases(): void {
    const live = this.model.live(this.model.currentRevision).filter(({ lease }) => lease !== 0n);
    expect(this.ledger.attached).toEqual(new Map(live.map(({ key, lease }) => [binaryString(key), lease])));
  }
}

function runOnStore(store: MvccStore, command: Command): unknown {
  switch (command.kind) {
    case "put":
      return describePut(store.put(command.request));
    case "deleteRange":
      return describeDelete(store.deleteRange(command.request));
    case "deleteKeys":
      return store.deleteKeys(command.keys);
    case "range":
      return describeRange(store.range(command.request));
    case "txn":
      return describeTxn(store.txn(command.request));
    case "compact":
      return store.compact(command.revision);
    case "compactStep":
      return void store.compactStep(command.limit);
    case "restart":
      return undefined;
  }
}

function runOnModel(model: ModelStore, command: Command): unknown {
  switch (command.kind) {
    case "put":
      return model.put(command.request);
    case "deleteRange":
      return model.deleteRange(command.request);
    case "deleteKeys":
      return model.deleteKeys(command.keys);
    case "range":
      return model.range(command.request);
    case "txn":
      return model.txn(command.request);
    case "compact":
      return model.compact(command.revision);
    case "compactStep":
    case "restart":
      return undefined; // The model deletes nothing and forgets nothing.
  }
}

function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
}

function describeRange({ kvs, more, count, header }: RangeResponse): ModelAnswer {
  return { kvs: kvs.map(describeKv), more, count, revision: header?.revision };
}

function describePut({ prevKv, header }: PutResponse): ModelAnswer {
  return { prevKv: prevKv === undefined ? undefined : describeKv(prevKv), revision: header?.revision };
}

function describeDelete({ deleted, prevKvs, header }: DeleteRangeResponse): ModelAnswer {
  return { deleted, prevKvs: prevKvs.map(describeKv), revision: header?.revision };
}

function describeTxn({ succeeded, responses, header }: TxnResponse): ModelAnswer {
  return { succeeded, responses: responses.map(describeResponse), revision: header?.revision };
}

function describeResponse({ response }: ResponseOp): ModelAnswer | undefined {
  switch (response?.$case) {
    case "responseRange":
      return describeRange(response.value);
    case "responsePut":
      return describePut(response.value);
    case "responseDeleteRange":
      return describeDelete(response.value);
    case "responseTxn":
      return describeTxn(response.value);
    case undefined:
      return undefined;
  }
}

it("answers as a list of all versions would, through compactions and restarts", async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (steps) => {
      const pair = new Pair();
      for (const command of steps) await pair.run(command);
      pair.checkEverything();
      while (pair.store.compactStep());
      pair.checkEverything();
      await pair.restart();
      pair.checkEverything();
    }),
    { numRuns: 300 },
  );
}, 60_000);

it("answers likewise after its content was replaced by that of a member that has gone further", async () => {
  await fc.assert(
    fc.asyncProperty(commands, fc.nat({ max: 100 }), commands, async (steps, percent, more) => {
      const [pair, follower] = [new Pair(), new Pair()];
      for (const command of steps.slice(0, (steps.length * percent) / 100)) await follower.run(command);
      for (const command of steps) await pair.run(command);
      await follower.takeOver(pair);
      follower.checkEverything();
      for (const command of more) await follower.run(command);
      while (follower.store.compactStep());
      follower.checkEverything();
    }),
    { numRuns: 200 },
  );
}, 60_000);
