import { TxnRequest } from "@conclave/protocol/etcdserverpb";
import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag } from "../flags.ts";
import { nextLine, readLines } from "./lines.ts";
import { parseCompare } from "./txn-compare.ts";
import { parseOperation } from "./txn-operation.ts";

/** `txn`: several comparisons and operations as one. */
export const txnCommand: CommandSpec<{ readonly interactive: boolean }> = {
  names: ["txn"],
  usage: "",
  description:
    "run a transaction from standard input: comparisons, an empty line, operations for success, an empty line, operations for failure, an empty line",
  flags: [booleanFlag("-i, --interactive", "say what is expected")],
  async run({ client, io, print }, { operands, options: { interactive } }) {
    if (operands.length > 0) throw new CommandError(exitCodes.badArguments, "txn command does not accept argument");
    const lines = readLines(io.stdin);
    const prompt = (text: string) => (interactive ? io.out(`${text}:\n`) : undefined);
    prompt("compares");
    const compare = await readBlock(lines, parseCompare);
    prompt("success requests (get, put, del)");
    const success = await readBlock(lines, parseOperation);
    prompt("failure requests (get, put, del)");
    const failure = await readBlock(lines, parseOperation);
    print("txn", await client.raw.kv.txn(TxnRequest.fromPartial({ compare, success, failure })));
  },
};

/** Reads lines up to an empty one. */
async function readBlock<Item>(lines: AsyncIterator<string, void>, parse: (line: string) => Item): Promise<Item[]> {
  const items: Item[] = [];
  for (let line = await nextLine(lines); line !== ""; line = await nextLine(lines)) items.push(parse(line));
  return items;
}
