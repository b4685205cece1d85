import { utf8 } from "@conclave/base";
import { createLock } from "@conclave/lock";
import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { int64Flag } from "../flags.ts";
import { holdUntilInterrupted, waitToOwn } from "./hold.ts";
import { runChild } from "./run-child.ts";

const ttlSecDefault = 60;

/** `lock`: holds a lock until interrupted, or while a program runs. */
export const lockCommand: CommandSpec<{ readonly ttl: bigint }> = {
  names: ["lock"],
  usage: "<name> [program [argument...]]",
  description: "hold a lock until interrupted, or while a program runs",
  flags: [int64Flag("ttl", "seconds after which the lock is free if this program vanishes").default(10n, "10")],
  async run({ client, io, print }, { operands: [name, ...program], options: { ttl } }) {
    if (name === undefined)
      throw new CommandError(
        exitCodes.badArguments,
        "lock takes a lock name argument and an optional command to execute",
      );
    const interrupted = io.interruption();
    const contended = createLock(client, name, { ttlSec: ttl > 0n ? Number(ttl) : ttlSecDefault });
    await using lock = await waitToOwn(contended.acquire({ signal: interrupted }));
    if (program.length === 0) {
      // What holders say of themselves stands in the value; etcdctl's say nothing, and whoever reads this expects that.
      print("get", await client.raw.kv.range({ key: utf8(lock.key), keysOnly: true }));
      await holdUntilInterrupted(lock, interrupted);
    } else {
      const env = { ETCD_LOCK_KEY: lock.key, ETCD_LOCK_REV: String(lock.fence) };
      await runChild(program, { env, signal: lock.signal });
    }
  },
};
