import { prefixEnd, utf8 } from "@conclave/base";
import type { Client } from "@conclave/client";
import type { RequestOp } from "@conclave/protocol/etcdserverpb";
import { Option } from "commander";
import type { CommandContext, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { int64Flag, textFlag } from "../flags.ts";
import { type DestinationOptions, destinationFlags, openDestination } from "./destination.ts";
import { type MirrorNames, mirrorBatches, mirrorEvent, mirrorPut } from "./mirror-writes.ts";

/** The options of `make-mirror`. */
export interface MirrorOptions extends DestinationOptions {
  /** What the keys to mirror start with. */
  readonly prefix: string;
  /** What takes the place of that at the destination; empty for the same, false for nothing. */
  readonly destPrefix: string | false;
  /** Revision to mirror from; 0 to begin with all keys that are there. */
  readonly rev: bigint;
  /** Most operations in a transaction at the destination. */
  readonly maxTxnOps: bigint;
}

const reportMs = 30_000;
const pageKeys = 1_000n;
/** Below the size of a request that a server takes by default. */
const batchBytes = 1_000_000;

/** `make-mirror`: copies keys to another cluster and keeps them the same there until it is ended. */
export const makeMirrorCommand: CommandSpec<MirrorOptions> = {
  names: ["make-mirror"],
  usage: "<destination>",
  description: "copy keys to another cluster, and keep the copy up to date until interrupted",
  flags: [
    textFlag("--prefix <prefix>", "mirror the keys that start with this"),
    textFlag("--dest-prefix <prefix>", "what takes the place of --prefix at the destination; empty: the same"),
    new Option("--no-dest-prefix", "leave --prefix away at the destination"),
    int64Flag("rev", "mirror what happens from this revision on, instead of all keys that are there"),
    int64Flag("max-txn-ops", "most operations in a transaction at the destination").default(128n, "128"),
    ...destinationFlags,
  ],
  async run(context, { operands: [destination, ...more], options }) {
    if (destination === undefined || more.length > 0)
      throw new CommandError(exitCodes.badArguments, "make-mirror takes one destination argument");
    if (options.maxTxnOps < 1n) throw new CommandError(exitCodes.badArguments, "--max-txn-ops must be at least 1");
    const connection = await openDestination(context, [destination], options);
    try {
      await new Mirror(context, connection.client, options).run();
    } finally {
      await connection.client.close();
    }
  },
};

/** One mirroring, from its start to its end. */
class Mirror {
  readonly #context: CommandContext;
  readonly #destination: Client;
  readonly #options: MirrorOptions;
  readonly #names: MirrorNames;
  readonly #range: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array };
  #writes = 0;

  constructor(context: CommandContext, destination: Client, options: MirrorOptions) {
    this.#context = context;
    this.#destination = destination;
    this.#options = options;
    const prefix = utf8(options.prefix);
    const destinationPrefix = options.destPrefix === "" ? prefix : utf8(options.destPrefix || "");
    this.#names = { prefix, destinationPrefix };
    this.#range = prefix.length === 0 ? everything : { key: prefix, rangeEnd: prefixEnd(prefix) };
  }

  /** Mirrors until interrupted. @throws CommandError if the source has compacted what was not mirrored yet */
  async run(): Promise<void> {
    const interrupted = this.#context.io.interruption();
    const reports = setInterval(() => this.#report(), reportMs);
    try {
      const startRevision = this.#options.rev > 0n ? this.#options.rev : (await this.#copyAll()) + 1n;
      await this.#follow(startRevision, interrupted);
    } catch (error) {
      if (!interrupted.aborted) throw error;
    } finally {
      clearInterval(reports);
    }
  }

  /** Copies what is there, as of one revision; returns that. */
  async #copyAll(): Promise<bigint> {
    const { kv } = this.#context.client.raw;
    let [key, revision] = [this.#range.key, 0n];
    for (;;) {
      const { kvs, more, header } = await kv.range({ ...this.#range, key, limit: pageKeys, revision });
      if (revision === 0n) revision = BigInt(header?.revision ?? 0);
      // Their revisions do not matter: all of them are there at the one that is copied.
      await this.#write(kvs.map((pair) => ({ revision: 0, op: mirrorPut(pair, this.#names) })));
      const last = kvs.at(-1);
      if (!more || last === undefined) return revision;
      key = new Uint8Array([...last.key, 0]);
    }
  }

  async #follow(startRevision: bigint, interrupted: AbortSignal): Promise<void> {
    for await (const { events, canceled, compactRevision, cancelReason } of this.#context.watch(
      { ...this.#range, startRevision },
      { signal: interrupted },
    )) {
      if (compactRevision > 0)
        throw new CommandError(exitCodes.failure, "etcdserver: mvcc: required revision has been compacted");
      if (canceled) throw new CommandError(exitCodes.failure, `the source has ended the watch: ${cancelReason}`);
      await this.#write(
        events.map((event) => ({ revision: event.kv?.modRevision ?? 0, op: mirrorEvent(event, this.#names) })),
      );
    }
  }

  async #write(writes: readonly { readonly revision: number; readonly op: RequestOp }[]): Promise<void> {
    const limits = { operations: Number(this.#options.maxTxnOps), bytes: batchBytes };
    for (const success of mirrorBatches(writes, limits)) {
      await this.#destination.raw.kv.txn({ success: [...success] }, { idempotent: true });
      this.#writes += success.length;
    }
  }

  #report(): void {
    this.#context.io.out(`${this.#writes}\n`);
  }
}

/** All keys: the empty key cannot be asked for. */
const everything = { key: new Uint8Array(1), rangeEnd: new Uint8Array(1) };
