import type { RequestOp } from "@conclave/protocol/etcdserverpb";
import { parseArguments } from "../arguments.ts";
import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { splitWords } from "../go/words.ts";
import { type DelOptions, delCommand, deleteRangeRequest } from "./del.ts";
import { type GetOptions, getCommand, rangeRequest } from "./get.ts";
import { type PutRequestOptions, putRequest, putRequestFlags } from "./put.ts";

/**
 * Reads an operation such as `put key "a value"`, `get key --prefix` or `del key`, with the options of those
 * commands.
 *
 * @throws CommandError if it is none
 */
export function parseOperation(line: string): RequestOp {
  const [name, ...args] = words(line);
  if (args.length === 0) throw new CommandError(exitCodes.invalidInput, `invalid txn compare request: ${line}`);
  switch (name) {
    case "put": {
      const { operands, options } = parse<PutRequestOptions>(line, { flags: putRequestFlags }, args);
      return { request: { $case: "requestPut", value: putRequest(operands, options) } };
    }
    case "get": {
      const { operands, options } = parse<GetOptions>(line, getCommand, args);
      return { request: { $case: "requestRange", value: rangeRequest(operands, options) } };
    }
    case "del": {
      const { operands, options } = parse<DelOptions>(line, delCommand, args);
      return { request: { $case: "requestDeleteRange", value: deleteRangeRequest(operands, options) } };
    }
    default:
      throw invalid(line);
  }
}

function words(line: string): string[] {
  try {
    return splitWords(line);
  } catch (error) {
    throw invalid(line, error);
  }
}

function parse<Options extends object>(
  line: string,
  { flags }: Pick<CommandSpec<Options>, "flags">,
  args: readonly string[],
) {
  try {
    return parseArguments<Options>(flags ?? [], args);
  } catch (error) {
    throw invalid(line, error);
  }
}

function invalid(line: string, cause?: unknown): CommandError {
  const reason = cause instanceof Error ? ` (${cause.message})` : "";
  return new CommandError(exitCodes.invalidInput, `invalid txn request: ${line}${reason}`, { cause });
}
