import { Command } from "commander";
import { addFlags, afterSeparator, muted } from "./arguments.ts";
import type { CommandGroup, CommandSpec, Invocation, LocalCommandSpec } from "./command.ts";
import { alarmGroup } from "./commands/alarm.ts";
import { authGroup } from "./commands/auth.ts";
import { checkGroup } from "./commands/check.ts";
import { compactionCommand } from "./commands/compaction.ts";
import { completionCommand } from "./commands/completion.ts";
import { configGroup } from "./commands/config.ts";
import { defragCommand } from "./commands/defrag.ts";
import { delCommand } from "./commands/del.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { downgradeGroup } from "./commands/downgrade.ts";
import { electCommand } from "./commands/elect.ts";
import { electionsCommand } from "./commands/elections.ts";
import { endpointGroup } from "./commands/endpoint.ts";
import { getCommand } from "./commands/get.ts";
import { leaseGroup } from "./commands/lease.ts";
import { lockCommand } from "./commands/lock.ts";
import { locksGroup } from "./commands/locks.ts";
import { makeMirrorCommand } from "./commands/make-mirror.ts";
import { memberGroup } from "./commands/member.ts";
import { migrateCommand } from "./commands/migrate.ts";
import { moveLeaderCommand } from "./commands/move-leader.ts";
import { putCommand } from "./commands/put.ts";
import { roleGroup } from "./commands/role.ts";
import { servicesCommand } from "./commands/services.ts";
import { snapshotGroup } from "./commands/snapshot.ts";
import { topicsGroup } from "./commands/topics.ts";
import { txnCommand } from "./commands/txn.ts";
import { userGroup } from "./commands/user.ts";
import { verifyCommand } from "./commands/verify.ts";
import { versionCommand } from "./commands/version.ts";
import { watchCommand } from "./commands/watch.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { globalFlags } from "./global-flags.ts";

// biome-ignore lint/suspicious/noExplicitAny: each command has its own type of options.
type AnyCommand = CommandSpec<any> | LocalCommandSpec<any>;

const commands: readonly AnyCommand[] = [
  compactionCommand,
  completionCommand,
  defragCommand,
  delCommand,
  doctorCommand,
  electCommand,
  electionsCommand,
  getCommand,
  lockCommand,
  makeMirrorCommand,
  migrateCommand,
  moveLeaderCommand,
  putCommand,
  servicesCommand,
  txnCommand,
  verifyCommand,
  versionCommand,
  watchCommand,
];
const groups: readonly CommandGroup[] = [
  alarmGroup,
  authGroup,
  checkGroup,
  configGroup,
  downgradeGroup,
  endpointGroup,
  leaseGroup,
  locksGroup,
  memberGroup,
  roleGroup,
  snapshotGroup,
  topicsGroup,
  userGroup,
];

/** Runs the command that the arguments name. */
export type Dispatch = (command: AnyCommand, invocation: Invocation<object>) => Promise<void>;

/**
 * The tree of the commands.
 *
 * @param args - the arguments that it will be given, in which `--` is looked for
 */
export function createProgram(args: readonly string[], out: (text: string) => void, dispatch: Dispatch): Command {
  const separated = afterSeparator(args);
  const act = (command: Command, spec: AnyCommand) =>
    command.action((operands: string[]) => dispatch(spec, { operands, separated, options: command.optsWithGlobals() }));
  const add = (parent: Command, spec: AnyCommand) => act(leaf(parent, spec), spec);
  const program = new Command("conclavectl").description("A command line client of Conclave and etcd.");
  prepare(program, out);
  addFlags(program, globalFlags);
  program
    .argument("[command...]")
    .usage("[options] <command>")
    .action((operands: string[]) => {
      if (operands[0] === undefined) program.outputHelp();
      else
        throw new CommandError(exitCodes.failure, `unknown command ${JSON.stringify(operands[0])} for "conclavectl"`);
    });
  for (const spec of commands) add(program, spec);
  for (const group of groups) {
    const parent = program.command(group.name).description(group.description);
    addFlags(parent, group.flags ?? []);
    parent.argument("[command...]").usage(group.byDefault === undefined ? "<command>" : group.byDefault.usage);
    if (group.byDefault === undefined) parent.action(() => parent.outputHelp());
    else act(parent, group.byDefault);
    for (const spec of group.commands) add(parent, spec);
  }
  return program;
}

function leaf(parent: Command, spec: AnyCommand): Command {
  const [name, ...aliases] = spec.names;
  const command = parent.command(name).aliases(aliases).description(spec.description);
  command.argument("[operands...]").usage(`[options] ${spec.usage}`.trim());
  if ("flags" in spec) addFlags(command, spec.flags ?? []);
  return command;
}

/** Settings that the commands below inherit. */
function prepare(command: Command, out: (text: string) => void): void {
  muted(command);
  command.configureOutput({ writeOut: out, writeErr: () => undefined });
  command.configureHelp({ showGlobalOptions: true, subcommandTerm: (below) => below.name() });
  command.helpOption("-h, --help", "show this").helpCommand("help [command]", "show the help of a command");
}
