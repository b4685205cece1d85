/** @module Runs a script through etcdctl or a program like it, and writes down what it prints. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type CommandEnding, runHere, runsHere } from "./conclavectl-here.ts";
import type { CtlScript, CtlStep } from "./ctl-scripts.ts";

/** A control program, and the server it speaks to. */
export interface Ctl {
  /** The program. */
  readonly binary: string;
  /** Where the server serves, as `host:port`. */
  readonly endpoint: string;
  /** Whether it is `conclavectl`, most of whose commands then run in this process. Default: no. */
  readonly here?: boolean;
}

/** What a command printed and how it ended, with what may differ between two right servers taken out. */
export interface CtlShown {
  readonly command: string;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  readonly exit: number | string | null;
  /** What is known to differ here, as noted at the step. */
  readonly differs: NonNullable<CtlStep["differs"]>;
}

type RunStep = Extract<CtlStep, { readonly kind: "run" }>;

const waitMs = 15_000;
const pollMs = 10;

/**
 * Runs a script and returns what its commands showed.
 *
 * @throws Error if a command does not print or end as the script expects within 15 s
 */
export async function runCtlScript(ctl: Ctl, script: CtlScript): Promise<CtlShown[]> {
  const run = new CtlRun(ctl);
  const shown: CtlShown[] = [];
  try {
    for (const step of script.steps) {
      const what = await run.step(step);
      if (what !== undefined) shown.push({ ...what, differs: step.differs ?? {} });
    }
    return shown;
  } finally {
    run.stop();
  }
}

interface Command {
  readonly line: string;
  readonly child: ChildProcessWithoutNullStreams;
  readonly closed: Promise<unknown>;
  stdout: string;
  stderr: string;
}

class CtlRun {
  readonly #ctl: Ctl;
  readonly #started = new Map<string, Command>();
  readonly #running = new Set<ChildProcessWithoutNullStreams>();
  readonly #kept = new Map<string, string>();
  #count = 0;

  constructor(ctl: Ctl) {
    this.#ctl = ctl;
  }

  /** Takes a step; returns what there is to show of it, if anything. */
  async step(step: CtlStep): Promise<Omit<CtlShown, "differs"> | undefined> {
    switch (step.kind) {
      case "run": {
        const ending = await this.#run(step);
        if (step.as !== undefined) this.#kept.set(step.as, /\b[0-9a-f]{12,16}\b/.exec(ending.stdout)?.[0] ?? "");
        return this.#shown(lineOf(step), ending);
      }
      case "start":
        this.#started.set(step.name, this.#spawn(step.args));
        return undefined;
      case "lines":
        await until(`${step.count} lines of "${step.name}"`, this.#named(step.name), ({ stdout }) => {
          return stdout.split("\n").length > step.count;
        });
        return undefined;
      case "type":
        this.#named(step.name).child.stdin.write(step.text);
        return undefined;
      case "interrupt":
        this.#named(step.name).child.kill("SIGINT");
        return this.#shownAtEnd(this.#named(step.name));
      case "wait":
        return this.#shownAtEnd(this.#named(step.name));
    }
  }

  /** Ends what a failing script has left behind. */
  stop(): void {
    for (const child of this.#running) child.kill("SIGKILL");
  }

  #named(name: string): Command {
    const command = this.#started.get(name);
    if (command === undefined) throw new TypeError(`Cannot go on as nothing was started under the name "${name}"`);
    return command;
  }

  /** Runs a command to its end. */
  async #run({ args, env = {}, stdin }: RunStep): Promise<CommandEnding> {
    if (this.#ctl.here === true && runsHere(args, this.#count++))
      return await runHere({ args: this.#given(args), env, stdin });
    const command = this.#spawn(args, env);
    command.child.stdin.end(stdin);
    return await this.#ending(command);
  }

  /** Arguments with what they stand for in their places. */
  #given(args: readonly string[]): readonly string[] {
    const given = args.map((arg) => arg.replace(/\$(\w+)$/, (whole, name: string) => this.#kept.get(name) ?? whole));
    const elsewhere = given.some((arg) => arg.startsWith("--endpoints="));
    return elsewhere ? given : [`--endpoints=${this.#ctl.endpoint}`, ...given];
  }

  #spawn(args: readonly string[], env: Readonly<Record<string, string>> = {}): Command {
    const child = spawn(this.#ctl.binary, this.#given(args), {
      env: { PATH: process.env.PATH, ETCDCTL_API: "3", ...env },
    });
    const command: Command = {
      line: lineOf({ args, env }),
      child,
      closed: once(child, "close"),
      stdout: "",
      stderr: "",
    };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      command.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      command.stderr += text;
    });
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
    // A command may end without reading what is typed into it.
    child.stdin.on("error", () => undefined);
    return command;
  }

  async #shownAtEnd(command: Command): Promise<Omit<CtlShown, "differs">> {
    return this.#shown(command.line, await this.#ending(command));
  }

  async #ending(command: Command): Promise<CommandEnding> {
    await until("the end", command, ({ child }) => child.exitCode !== null || child.signalCode !== null);
    await command.closed;
    const { child, stdout, stderr } = command;
    return { stdout, stderr, exit: child.exitCode ?? child.signalCode };
  }

  #shown(command: string, { stdout, stderr, exit }: CommandEnding): Omit<CtlShown, "differs"> {
    const complaints = this.#normalise(stderr).filter((line) => !isLogLine(line));
    return { command, stdout: this.#normalise(stdout), stderr: complaints, exit };
  }

  #normalise(text: string): string[] {
    return text.split("\n").map((line) => normaliseLine(line.replaceAll(this.#ctl.endpoint, "<endpoint>")));
  }
}

/** A command line as people write it. */
function lineOf({ args, env = {} }: Pick<RunStep, "args" | "env">): string {
  return [...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...args].join(" ");
}

async function until(what: string, command: Command, done: (command: Command) => boolean): Promise<void> {
  const deadline = performance.now() + waitMs;
  while (!done(command)) {
    if (performance.now() > deadline) {
      throw new Error(`Cannot go on as "${command.line}" did not come to ${what}:\n${command.stdout}${command.stderr}`);
    }
    await sleep(pollMs);
  }
}

/** The client library of etcdctl logs to the standard error. */
const isLogLine = (line: string): boolean => /^(\{"level":|\d{4}-\d\d-\d\d [\d:.]+ [A-Z] \| )/.test(line);

const patterns: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  // Boxes of tables are as wide as what differs in them.
  [/^[┌├└+][─┬┼┴+-]+[┐┤┘+]$/, "<border>"],
  [/│/g, "|"],
  [/(\|) +| +(?=\|)/g, "$1 "],
  // Ids: hex, decimal, and in the path of a key.
  [/\b[0-9a-f]{14,16}\b/g, "<id>"],
  [/\b\d{16,20}\b/g, "<id>"],
  [/http:\/\/127\.0\.0\.1:\d+/g, "<url>"],
  [/\d+(\.\d+)?(µs|ms|s)\b(?=")|took = \S+/g, "<duration>"],
  [/remaining\(\d+s\)/g, "remaining(<seconds>)"],
  [/"(TTL|ttl)" ?: ?\d+/g, '"$1":<seconds>'],
  [/"(RaftTerm|raft_term|RaftIndex|RaftAppliedIndex|DBSize|DBSizeInUse)" ?: ?\d+/g, '"$1":<number>'],
  [/"(Version|Name|name)" ?: ?"[^"]*"/g, '"$1":<text>'],
  // The line of an endpoint: version, size, leader, learner, term, index, applied index.
  [/(<id>,?(?: \|)?) [\d.]+(,?(?: \|)?) [\d.]+ [kM]?B(,?(?: \|)?) true/g, "$1 <version>$2 <size>$3 true"],
  [/(true|false),? (?:\| )?(true|false)(,| \|) \d+(,| \|) \d+(,| \|) \d+/g, "$1 $2 <term> <index> <applied>"],
  // The name of a member stands after its state.
  [/(started(?:,| \|)) [\w.-]+/g, "$1 <name>"],
];

function normaliseLine(line: string): string {
  return patterns.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), line);
}
