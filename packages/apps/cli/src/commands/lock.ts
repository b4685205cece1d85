import { utf8 } from "@conclave/base";
import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { int64Flag } from "../flags.ts";
import { holdUntilInterrupted, joinQueue, untilInterrupted, waitForTurn } from "./queue.ts";
import { runChild } from "./run-child.ts";
import { sessionTtlSec } from "./session-ttl.ts";

/** `lock`: holds a lock until interrupted, or while a program runs. */
export const lockCommand: CommandSpec<{ readonly ttl: bigint }> = {
  names: ["lock"],
  usage: "<name> [program [argument...]]",
  description: "hold a lock until interrupted, or while a program runs",
  flags: [int64Flag("ttl", "seconds after which the lock is free if this program vanishes").default(10n, "10")],
  async run(context, { operands: [name, ...program], options: { ttl } }) {
    const { client, io, print } = context;
    if (name === undefined)
      throw new CommandError(
        exitCodes.badArguments,
        "lock takes a lock name argument and an optional command to execute",
      );
    const interrupted = io.interruption();
    await using session = await client.session({ ttlSec: sessionTtlSec(ttl), signal: interrupted });
    const { key, revision } = await untilInterrupted(interrupted, session.signal, async (signal) => {
      const place = await joinQueue(client, { name, lease: session.lease, value: "" });
      return { key: place.key, revision: await waitForTurn(context, place, signal) };
    });
    if (program.length === 0) {
      print("get", await client.raw.kv.range({ key: utf8(key) }));
      await holdUntilInterrupted(interrupted, session.signal);
    } else {
      const env = { ETCD_LOCK_KEY: key, ETCD_LOCK_REV: String(revision) };
      await runChild(program, { env, signal: session.signal });
    }
  },
};
