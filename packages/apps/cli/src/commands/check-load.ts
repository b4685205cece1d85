/** @module A load of puts, and what came of it: the engine of `check`. */
import { performance } from "node:perf_hooks";
import { emptyBytes, prefixEnd, utf8 } from "@conclave/base";
import type { Client } from "@conclave/client";
import type { CommandContext, Invocation } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag, textFlag } from "../flags.ts";
import { messageOf } from "./explain.ts";

/** Sizes of a load. */
export type LoadName = "s" | "m" | "l" | "xl";

/** The options of both checks. */
export interface CheckOptions {
  /** Which load. */
  readonly load: string;
  /** What the keys that are written start with. */
  readonly prefix: string;
  /** Compact the history afterwards. */
  readonly autoCompact: boolean;
  /** Defragment the servers afterwards. */
  readonly autoDefrag: boolean;
}

/** The flags of both checks. */
export function checkFlags(prefix: string): ReturnType<typeof textFlag>[] {
  return [
    textFlag("--load <s|m|l|xl>", "how heavy the load is", "s"),
    textFlag("--prefix <prefix>", "what the keys that are written start with; there must be none", prefix),
    booleanFlag("--auto-compact", "compact the history afterwards"),
    booleanFlag("--auto-defrag", "defragment the servers afterwards"),
  ];
}

/** A load of puts. */
export interface Load {
  /** How many clients put at once. */
  readonly clients: number;
  /** Most puts in a second; default: as many as it takes. */
  readonly putsPerSecond?: number;
  /** How many puts. */
  readonly puts: number;
  /** After how long no more are begun, in ms; default: never. */
  readonly durationMs?: number;
  /** Length of the keys. */
  readonly keyBytes: number;
  /** Length of the values. */
  readonly valueBytes: number;
}

/** What came of a load. */
export interface LoadResult {
  /** How long each put that went well took, in s. */
  readonly latenciesSec: readonly number[];
  /** How often each error came. */
  readonly errors: ReadonlyMap<string, number>;
  /** How long all of it took, in s. */
  readonly tookSec: number;
}

/**
 * The load that `--load` names.
 *
 * @throws CommandError if there is none of this name
 */
export function loadNamed(text: string): LoadName {
  switch (text.toLowerCase()) {
    case "s":
    case "small":
      return "s";
    case "m":
    case "medium":
      return "m";
    case "l":
    case "large":
      return "l";
    case "xl":
    case "xlarge":
      return "xl";
    default:
      throw new CommandError(exitCodes.badFeature, `unknown load option ${text}`);
  }
}

/**
 * Runs a load on keys under a prefix, and removes them; compacts and defragments if that is wished.
 *
 * @param run - what happens while the keys are there
 * @throws CommandError if there are keys already
 */
export async function onFreshPrefix<Result>(
  context: CommandContext,
  { options: { prefix, autoCompact, autoDefrag } }: Pick<Invocation<CheckOptions>, "options">,
  run: () => Promise<Result>,
): Promise<Result> {
  const { kv } = context.client.raw;
  const range = { key: utf8(prefix), rangeEnd: prefixEnd(utf8(prefix)) };
  if ((await kv.range({ ...range, limit: 1n })).kvs.length > 0)
    throw new CommandError(
      exitCodes.invalidInput,
      `prefix ${JSON.stringify(prefix)} has keys. Delete with etcdctl del --prefix ${prefix} first`,
    );
  try {
    return await run();
  } finally {
    const { header } = await kv.deleteRange(range, { timeoutMs: tidyUpMs });
    if (autoCompact) await compact(context, BigInt(header?.revision ?? 0));
    if (autoDefrag) for (const endpoint of context.flags.endpoints) await defragment(context, endpoint);
  }
}

const tidyUpMs = 60_000;

async function compact({ client, io }: CommandContext, revision: bigint): Promise<void> {
  io.out(`Compacting with revision ${revision}\n`);
  await client.raw.kv.compact({ revision }, { timeoutMs: tidyUpMs });
  io.out(`Compacted with revision ${revision}\n`);
}

async function defragment({ client, io, addressOf }: CommandContext, endpoint: string): Promise<void> {
  io.out(`Defragmenting ${JSON.stringify(endpoint)}\n`);
  await client.raw.maintenance.defragment({}, { endpoint: addressOf(endpoint), timeoutMs: tidyUpMs });
  io.out(`Defragmented ${JSON.stringify(endpoint)}\n`);
}

/** Puts until there were enough or the time is over. */
export async function runLoad(client: Client, prefix: string, load: Load): Promise<LoadResult> {
  const latenciesSec: number[] = [];
  const errors = new Map<string, number>();
  const startMs = performance.now();
  const elapsedMs = (): number => performance.now() - startMs;
  let begun = 0;
  const mayBegin = (): boolean => begun < load.puts && elapsedMs() < (load.durationMs ?? Number.POSITIVE_INFINITY);
  const worker = async (): Promise<void> => {
    while (mayBegin()) {
      const number = begun++;
      if (load.putsPerSecond !== undefined) await pause((number * 1_000) / load.putsPerSecond - elapsedMs());
      const sentMs = performance.now();
      const error = await client.raw.kv.put(loadPut(prefix, number, load)).then(() => undefined, messageOf);
      if (error === undefined) latenciesSec.push((performance.now() - sentMs) / 1_000);
      else errors.set(error, (errors.get(error) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: load.clients }, worker));
  return { latenciesSec, errors, tookSec: elapsedMs() / 1_000 };
}

/** Keys are spread over the prefix, as a factor that is prime to the modulus mixes their numbers. */
function loadPut(prefix: string, number: number, { keyBytes, valueBytes }: Load) {
  const scattered = (number * 2_654_435_761) % 4_294_967_296;
  const name = `${prefix}${scattered.toString(16).padStart(8, "0")}-${number}`;
  return { key: utf8(name.padEnd(keyBytes, "k")), value: valueBytes === 0 ? emptyBytes : new Uint8Array(valueBytes) };
}

function pause(durationMs: number): Promise<void> | undefined {
  return durationMs <= 0 ? undefined : new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** Tells of the errors of a load; returns whether there were any. */
export function tellErrors({ io }: CommandContext, { errors }: LoadResult): boolean {
  if (errors.size > 0) io.out("FAIL: too many errors\n");
  for (const [message, count] of errors) io.out(`FAIL: ERROR(${message}) -> ${count}\n`);
  return errors.size > 0;
}
