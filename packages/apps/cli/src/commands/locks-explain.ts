import { type Client, isConclaveError, type LeaseTimes, readLeaseTimes } from "@conclave/client";
import { createLock, type LockContender, type LockState } from "@conclave/lock";
import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { leaseJson, revisionsAgo } from "../format/times.ts";
import { type GoValue, goJson } from "../go/json.ts";
import { exactOperands } from "./own-arguments.ts";

/** What there is to say of a lock. */
interface Explanation {
  readonly name: string;
  readonly state: LockState;
  /** Of the leases of holder and waiters. */
  readonly times: ReadonlyMap<bigint, LeaseTimes>;
  /** Other keys on the holder's lease: they often tell who it is. */
  readonly otherKeys: readonly string[];
}

/** `locks explain`: one lock, and what one can do about it. */
export const locksExplainCommand: CommandSpec = {
  names: ["explain"],
  usage: "<name>",
  description: "say who holds a lock, for how long, who waits, and what one can do",
  async run({ client, io, flags }, { operands }) {
    const [name = ""] = exactOperands("locks explain", operands, ["name"]);
    if (flags.writeOut !== "simple" && flags.writeOut !== "json")
      throw new CommandError(exitCodes.badFeature, "locks explain writes simple or json");
    const state = await createLock(client, name).inspect();
    const contenders = state.holder === undefined ? [] : [state.holder, ...state.waiters];
    const times = await readLeaseTimes(
      client,
      contenders.map(({ lease }) => lease),
    );
    const otherKeys = await keysBeside(client, state.holder);
    const explanation = { name, state, times, otherKeys };
    io.out(flags.writeOut === "json" ? `${goJson(jsonOf(explanation))}\n` : textOf(explanation));
  },
};

async function keysBeside(client: Client, holder: LockContender | undefined): Promise<readonly string[]> {
  if (holder === undefined || holder.lease === 0n) return [];
  try {
    const { keys } = await client.lease.timeToLive(holder.lease, { keys: true });
    return keys.map((key) => Buffer.from(key).toString()).filter((key) => key !== holder.key);
  } catch (error) {
    if (isConclaveError(error, "PERMISSION_DENIED")) return []; // Keys that the user may not read are not told of.
    throw error;
  }
}

function jsonOf({ name, state: { revision, holder, waiters }, times, otherKeys }: Explanation): GoValue {
  const contender = (each: LockContender): GoValue => ({
    ...{ key: each.key, holder: each.holder, fence: each.fence },
    ...leaseJson(each.lease, times),
  });
  return {
    ...{ name, revision, held: holder !== undefined },
    ...{ holder: holder === undefined ? undefined : contender(holder), otherKeys },
    waiters: waiters.map(contender),
  };
}

function textOf(explanation: Explanation): string {
  const { name, state, times, otherKeys } = explanation;
  const { holder, waiters, revision } = state;
  if (holder === undefined) return `${quoted(name)} is free: whoever asks for it now holds it at once.\n`;
  const lines = [
    `${quoted(name)} is held by ${whoIs(holder)}, ${leaseSentence(holder.lease, times)}; ${waitingText(waiters.length)}.`,
    `  key ${quoted(holder.key)}, fence ${holder.fence}`,
    `  in the queue since ${revisionsAgo(holder.fence, revision)}`,
    ...(otherKeys.length === 0 ? [] : [`  the same lease holds ${otherKeys.map(quoted).join(", ")}`]),
    ...waiters.map((waiter, at) => {
      const since = revisionsAgo(waiter.fence, revision);
      return `${at + 1}. ${whoIs(waiter)} waits since ${since}, ${leaseSentence(waiter.lease, times)}`;
    }),
    adviceOn(holder, times),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function whoIs({ holder, lease }: LockContender): string {
  return holder === "" ? `lease ${lease.toString(16)}, which says nothing of itself` : quoted(holder);
}

function leaseSentence(lease: bigint, times: ReadonlyMap<bigint, LeaseTimes>): string {
  if (lease === 0n) return "on no lease, so that it stays until its key is deleted";
  const found = times.get(lease);
  if (found === undefined) return `whose lease ${lease.toString(16)} has ended`;
  const { remainingSec, grantedSec } = found;
  const renewed = `last renewed about ${Math.max(0, grantedSec - remainingSec)} s ago`;
  return `whose lease ${lease.toString(16)} ends in ${remainingSec} s unless renewed (${renewed}, for ${grantedSec} s)`;
}

function waitingText(waiters: number): string {
  return waiters === 0 ? "nobody waits" : waiters === 1 ? "1 waits" : `${waiters} wait`;
}

/** A holder that lives renews its lease well before its end. */
function adviceOn({ lease, key }: LockContender, times: ReadonlyMap<bigint, LeaseTimes>): string {
  if (lease === 0n) return `If nobody holds it any more: conclavectl del ${key}`;
  const found = times.get(lease);
  if (found === undefined) return "Its keys are about to go, and the next one holds it.";
  return [
    `If the holder is dead, wait ${found.remainingSec} s: the lock falls to the next one by itself.`,
    `If it hangs and must give way now: conclavectl lease revoke ${lease.toString(16)}`,
    "(it may not notice before its next renewal: only writes guarded by the fence are refused meanwhile).",
  ].join(" ");
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
