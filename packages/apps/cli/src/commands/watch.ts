import { emptyBytes } from "@conclave/base";
import type { WatchResponse } from "@conclave/protocol/etcdserverpb";
import { type Event, Event_EventType } from "@conclave/protocol/mvccpb";
import type { CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { booleanFlag } from "../flags.ts";
import { quoteBytes, quoteText } from "../go/quote.ts";
import { ProgressQuestion } from "../watch-responses.ts";
import { messageOf } from "./explain.ts";
import { runChild } from "./run-child.ts";
import { parseWatch, type WatchArguments, type WatchOptions, watchFlags } from "./watch-arguments.ts";
import { type Watching, watchInteractively } from "./watch-interactive.ts";

/** `watch`: shows what happens to a key or a range. */
export const watchCommand: CommandSpec<WatchOptions> = {
  names: ["watch"],
  usage: "[key] [range_end] [-- program [argument...]]",
  description: "show what happens to a key or a range of keys; run a program at each event",
  flags: [booleanFlag("-i, --interactive", "read watches from standard input, a line each"), ...watchFlags],
  async run(context, invocation) {
    const watch = { context, progress: new ProgressQuestion() };
    if (invocation.options.interactive) await watchInteractively(watch, follow);
    else await follow(watch, parseWatch(invocation, context.io.env));
  },
};

/**
 * Shows the events of a watch until it ends.
 *
 * @throws CommandError when the server ends it, or the program fails
 */
async function follow({ context, progress }: Watching, { request, program }: WatchArguments): Promise<void> {
  for await (const response of context.watch(request, { progress })) {
    if (response.canceled) context.io.err(`watch was canceled (${cancelReason(response)})\n`);
    if (isProgress(response)) context.io.out(`progress notify: ${response.header?.revision ?? 0}\n`);
    context.print("watch", response);
    if (program.length > 0) for (const event of response.events) await runProgram(program, response, event);
  }
  throw new CommandError(exitCodes.interrupted, "watch is canceled by the server");
}

function isProgress({ events, canceled }: WatchResponse): boolean {
  return events.length === 0 && !canceled;
}

function cancelReason({ compactRevision, cancelReason: reason }: WatchResponse): string {
  return compactRevision > 0 ? "etcdserver: mvcc: required revision has been compacted" : reason;
}

async function runProgram(program: readonly string[], { header }: WatchResponse, { type, kv }: Event): Promise<void> {
  try {
    await runChild(program, {
      env: {
        ETCD_WATCH_REVISION: String(header?.revision ?? 0),
        ETCD_WATCH_EVENT_TYPE: quoteText(type === Event_EventType.DELETE ? "DELETE" : "PUT"),
        ETCD_WATCH_KEY: quoteBytes(kv?.key ?? emptyBytes),
        ETCD_WATCH_VALUE: quoteBytes(kv?.value ?? emptyBytes),
      },
    });
  } catch (error) {
    const command = program.map(quoteText).join(" ");
    throw new CommandError(exitCodes.failure, `command [${command}] error (${messageOf(error)})`, { cause: error });
  }
}
