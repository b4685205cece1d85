import type { CommandContext, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import {
  type CheckOptions,
  checkFlags,
  type LoadName,
  loadNamed,
  onFreshPrefix,
  runLoad,
  tellErrors,
} from "./check-load.ts";
import { residentBytes } from "./resident-memory.ts";

/** Keys of each load, and the clients that put them: etcd's figures. */
const loads: Readonly<Record<LoadName, { readonly puts: number; readonly clients: number }>> = {
  s: { puts: 10_000, clients: 50 },
  m: { puts: 100_000, clients: 200 },
  l: { puts: 1_000_000, clients: 500 },
  xl: { puts: 3_000_000, clients: 1_000 },
};

const valueBytes = 1_024;
const mebibyte = 2 ** 20;

/** `check datascale`: how much memory a server takes for a load. */
export const checkDatascaleCommand: CommandSpec<CheckOptions> = {
  names: ["datascale"],
  usage: "",
  description: "put many keys and show how much more memory the first server takes then",
  flags: checkFlags("/etcdctl-check-datascale/"),
  async run(context, { options }) {
    const load = loads[loadNamed(options.load)];
    const { io, client } = context;
    await onFreshPrefix(context, { options }, async () => {
      const before = await memory(context, "before");
      io.out(
        `Start data scale check for work load [${load.puts} key-value pairs, ${valueBytes} bytes per key-value, ${load.clients} concurrent clients].\n`,
      );
      const result = await runLoad(client, options.prefix, { ...load, keyBytes: 512, valueBytes: valueBytes - 512 });
      const after = await memory(context, "after");
      if (tellErrors(context, result)) throw new CommandError(exitCodes.failure, "");
      io.out(`PASS: Approximate system memory used : ${((after - before) / mebibyte).toFixed(2)} MB.\n`);
    });
  },
};

async function memory(context: CommandContext, when: "before" | "after"): Promise<number> {
  const bytes = await residentBytes(context);
  if (bytes !== undefined) return bytes;
  context.io.out(`FAIL: Could not read process_resident_memory_bytes ${when} the put operations.\n`);
  throw new CommandError(exitCodes.failure, "");
}
