import type { Client } from "@conclave/client";
import type { Command, Option } from "commander";
import type { Answers } from "./format/answers.ts";
import type { GlobalFlags } from "./global-flags.ts";
import type { Io } from "./io.ts";
import type { WatchResponses } from "./watch-responses.ts";

/** What a running command has to work with. */
export interface CommandContext {
  /** The process. */
  readonly io: Io;
  /** The options that all commands take. */
  readonly flags: GlobalFlags;
  /** A client of the servers the user named. */
  readonly client: Client;
  /** Watches, with answers as they come. */
  readonly watch: WatchResponses;
  /** The same of some servers only, given in the form in which calls take them: the first is asked first. */
  watchAt(this: void, addresses: readonly string[]): WatchResponses;
  /** An endpoint that the user or the cluster named, in the form in which calls take it. */
  addressOf(endpoint: string): string;
  /** Writes an answer to standard output in the format of `-w`. */
  print<Kind extends keyof Answers>(kind: Kind, answer: Answers[Kind]): void;
}

/** How a command was called. */
export interface Invocation<Options> {
  /** The arguments that are no options, those after `--` included. */
  readonly operands: readonly string[];
  /** The arguments after `--`; undefined if there was none. */
  readonly separated: readonly string[] | undefined;
  /** The options. */
  readonly options: Options;
}

/** One command. */
export interface CommandSpec<Options extends object = Record<never, never>> {
  /** Its name, followed by other names it has. */
  readonly names: readonly [name: string, ...aliases: string[]];
  /** What follows the name in the help, such as `<key> [range_end]`. */
  readonly usage: string;
  /** What it does, in a line. */
  readonly description: string;
  /** Its options. */
  readonly flags?: readonly Option[];
  /**
   * Runs it.
   *
   * @throws CommandError for bad arguments; any other error ends the process with its message and exit code 1
   */
  run(context: CommandContext, invocation: Invocation<Options>): Promise<void> | void;
}

/** What a command has to work with that asks no server. */
export interface LocalContext extends Pick<CommandContext, "io" | "print"> {
  /** The tree of all commands. */
  readonly program: Command;
}

/** A command that asks no server. */
export interface LocalCommandSpec<Options extends object = Record<never, never>> {
  /** Its name. */
  readonly names: readonly [name: string];
  /** What follows the name in the help. */
  readonly usage: string;
  /** What it does, in a line. */
  readonly description: string;
  /** Its options. */
  readonly flags?: readonly Option[];
  /**
   * Runs it.
   *
   * @throws CommandError for bad arguments; any other error ends the process with its message and exit code 1
   */
  runLocally(context: LocalContext, invocation: Invocation<Options>): Promise<void> | void;
}

/** Commands under a common name, such as `lease`. */
export interface CommandGroup {
  /** Its name. */
  readonly name: string;
  /** What its commands are about, in a line. */
  readonly description: string;
  /** The options that all of them take. */
  readonly flags?: readonly Option[];
  /** What the name alone does, or with arguments that name none of its commands. Default: shows its help. */
  // biome-ignore lint/suspicious/noExplicitAny: each command has its own type of options.
  readonly byDefault?: CommandSpec<any>;
  /** Its commands. */
  // biome-ignore lint/suspicious/noExplicitAny: each command has its own type of options.
  readonly commands: readonly (CommandSpec<any> | LocalCommandSpec<any>)[];
}
