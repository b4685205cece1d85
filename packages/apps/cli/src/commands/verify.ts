import { writeFile } from "node:fs/promises";
import { hex } from "@conclave/base";
import { formatHistory } from "@conclave/checkers";
import type { CommandContext, CommandSpec, Invocation } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag, durationFlag, int64Flag, textFlag } from "../flags.ts";
import { createReport, reportText, type VerifyReport } from "../verify/report.ts";
import { type RunOptions, type RunResult, runVerification } from "../verify/run.ts";
import { type ClusterOptions, endpointsOf } from "./endpoints-of.ts";
import { messageOf } from "./explain.ts";

/** The options of `verify`. */
export interface VerifyOptions extends ClusterOptions {
  /** How long clients work, in milliseconds. */
  readonly duration: number;
  /** How many clients there are. */
  readonly clients: bigint;
  /** How many keys they meet at. */
  readonly keys: bigint;
  /** Operations that they begin in a second. */
  readonly rate: bigint;
  /** What every key starts with. */
  readonly prefix: string;
  /** File for the report; empty for none. */
  readonly report: string;
  /** File for the history; empty for none. */
  readonly history: string;
}

/** Everything is kept in memory until it is judged. */
const operationsMax = 100_000;
const clientsMax = 1_000;
const keysMax = 1_000;

/** `verify`: puts a cluster to the test, whichever it is, and says whether it keeps what it promises. */
export const verifyCommand: CommandSpec<VerifyOptions> = {
  names: ["verify"],
  usage: "",
  description: "read, write and watch for a while, and check that every answer was linearizable and no event lost",
  flags: [
    durationFlag("duration", "how long clients work", "10s"),
    int64Flag("clients", "how many clients work at once").default(8n, "8"),
    int64Flag("keys", "how many keys they meet at: few make many meetings").default(5n, "5"),
    int64Flag("rate", "operations that they begin in a second, together").default(200n, "200"),
    textFlag("--prefix <prefix>", "what every key of the run starts with; there must be none, and none is left"),
    textFlag("--report <file>", "write the report to this file, as JSON"),
    textFlag("--history <file>", "write what every client asked and was told to this file, as JSON lines"),
    booleanFlag("--cluster", "ask all members of the cluster, not only the endpoints given"),
  ],
  async run(context, invocation) {
    const { io, flags, client } = context;
    const { options } = invocation;
    if (flags.writeOut !== "simple" && flags.writeOut !== "json")
      throw new CommandError(exitCodes.badFeature, "verify writes simple or json");
    const run = await runOptions(context, invocation);
    const { clock } = client.ports;
    const [startedAtMs, startMs] = [clock.wallMs(), clock.monotonicMs()];
    const result = await judged(run);
    const report = createReport(result, run, { startedAtMs, tookMs: clock.monotonicMs() - startMs });
    if (options.history !== "") await writeFile(options.history, formatHistory(result.history));
    if (options.report !== "") await writeFile(options.report, `${JSON.stringify(report, undefined, 2)}\n`);
    io.out(flags.writeOut === "json" ? `${JSON.stringify(report)}\n` : reportText(report));
    const exit = exitOf[report.verdict];
    if (exit !== exitCodes.success) throw new CommandError(exit, "");
  },
};

const exitOf = {
  holds: exitCodes.success,
  violated: exitCodes.failure,
  undecided: exitCodes.badConnection,
} as const satisfies Record<VerifyReport["verdict"], number>;

async function runOptions(
  context: CommandContext,
  { operands, options }: Invocation<VerifyOptions>,
): Promise<RunOptions> {
  if (operands.length > 0) throw new CommandError(exitCodes.badArguments, "verify takes no arguments");
  const { client, flags, io, addressOf, watchAt } = context;
  const clients = within("clients", options.clients, clientsMax);
  const keys = within("keys", options.keys, keysMax);
  const ratePerSec = within("rate", options.rate, operationsMax);
  if (options.duration <= 0 || (ratePerSec * options.duration) / 1_000 > operationsMax)
    throw new CommandError(
      exitCodes.badArguments,
      `--duration must be above 0, and times --rate at most ${operationsMax} operations, as all are kept to be judged`,
    );
  const endpoints = [...new Set((await endpointsOf(context, options)).map(addressOf))];
  return {
    services: client.raw,
    watch: watchAt,
    ports: client.ports,
    endpoints,
    prefix: options.prefix === "" ? `/conclavectl-verify/${hex(client.ports.random.bytes(8))}/` : options.prefix,
    ...{ clients, keys, ratePerSec, durationMs: options.duration, timeoutMs: flags.commandTimeout },
    signal: io.interruption(),
  };
}

function within(name: string, value: bigint, max: number): number {
  if (value >= 1n && value <= BigInt(max)) return Number(value);
  throw new CommandError(exitCodes.badArguments, `--${name} must be between 1 and ${max}: current value is ${value}`);
}

/** What ends a run says nothing of what the servers promise. */
async function judged(run: RunOptions): Promise<RunResult> {
  try {
    return await runVerification(run);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(exitCodes.badConnection, `could not judge: ${messageOf(error)}`, { cause: error });
  }
}
