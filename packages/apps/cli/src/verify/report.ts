/** @module The report of `verify`, as data and as text. */
import type { CheckResult } from "./judgement.ts";
import type { RunOptions, RunResult } from "./run.ts";

/** The report of a run. */
export interface VerifyReport extends Omit<RunResult, "history"> {
  /** Whether everything that was promised held; `undecided` if something could not be judged and nothing was broken. */
  readonly verdict: "holds" | "violated" | "undecided";
  /** When the run began, as an ISO date. */
  readonly startedAt: string;
  /** How long it took with the judging, in milliseconds. */
  readonly tookMs: number;
  /** The members that were asked. */
  readonly endpoints: readonly string[];
  /** How much was asked for. */
  readonly workload: Pick<RunOptions, "prefix" | "clients" | "keys" | "ratePerSec" | "durationMs">;
}

/** The report of a run. */
export function createReport(
  { history: _history, ...result }: RunResult,
  options: RunOptions,
  { startedAtMs, tookMs }: { readonly startedAtMs: number; readonly tookMs: number },
): VerifyReport {
  const { endpoints, prefix, clients, keys, ratePerSec, durationMs } = options;
  return {
    ...{ verdict: verdictOf(result), startedAt: new Date(startedAtMs).toISOString(), tookMs: Math.round(tookMs) },
    ...{ endpoints, workload: { prefix, clients, keys, ratePerSec, durationMs } },
    ...result,
  };
}

/**
 * The search gives up where too many outcomes are not known; that every answer fits the history then says enough, as it
 * names an order.
 */
function verdictOf({ checks, operations }: Omit<RunResult, "history">): VerifyReport["verdict"] {
  if (checks.some(({ holds }) => holds === false)) return "violated";
  const [order, search, ...watches] = checks;
  const isOrdered = order?.holds === true && search !== undefined;
  return operations.answered > 0 && isOrdered && watches.every(({ holds }) => holds === true) ? "holds" : "undecided";
}

const conclusions: Readonly<Record<VerifyReport["verdict"], string>> = {
  holds: "HOLDS: everything that was checked is as it should be",
  violated: "VIOLATED: the servers broke what they promise",
  undecided: "UNDECIDED: nothing was found broken, and not everything could be judged",
};

/** A report for people. */
export function reportText({
  operations,
  watches,
  checks,
  workload,
  endpoints,
  isTidy,
  verdict,
}: VerifyReport): string {
  const { answered, unknown, refused } = operations;
  const { clients, keys, prefix } = workload;
  return [
    `${clients} clients on ${keys} keys under ${JSON.stringify(prefix)} at ${endpoints.join(", ")}`,
    `${answered} operations answered, ${unknown} of unknown outcome, ${refused} refused`,
    ...watches.map(({ name, events, resumed }) => `${name}: ${events} events, resumed ${resumed} times`),
    ...checks.map(checkText),
    ...(isTidy ? [] : [`the keys under ${JSON.stringify(prefix)} could not be removed`]),
    conclusions[verdict],
    "",
  ].join("\n");
}

function checkText({ check, holds, checked, violations, note }: CheckResult): string {
  const word = holds === undefined ? "?   " : holds ? "ok  " : "FAIL";
  const detail = [holds === true ? `${checked} checked` : "", note].filter((part) => part !== "").join(", ");
  return [
    `${word} ${check}${detail === "" ? "" : ` (${detail})`}`,
    ...violations.map(({ rule, message }) => `     ${rule}: ${message.replaceAll("\n", "\n       ")}`),
  ].join("\n");
}
