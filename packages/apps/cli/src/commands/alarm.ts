import { AlarmRequest_AlarmAction as Action } from "@conclave/protocol/etcdserverpb";
import type { CommandGroup, CommandSpec } from "../command.ts";
import { CommandError, exitCodes } from "../exit.ts";

/** `alarm list`: what keeps the cluster from writing. */
const alarmListCommand: CommandSpec = {
  names: ["list"],
  usage: "",
  description: "list the alarms",
  async run({ client, print }, { operands }) {
    if (operands.length > 0) throw new CommandError(exitCodes.badArguments, "alarm list command accepts no arguments");
    print("alarm", await client.raw.maintenance.alarm({ action: Action.GET }));
  },
};

/** `alarm disarm`: puts all alarms out. */
const alarmDisarmCommand: CommandSpec = {
  names: ["disarm"],
  usage: "",
  description: "put all alarms out",
  async run({ client, print }, { operands }) {
    if (operands.length > 0)
      throw new CommandError(exitCodes.badArguments, "alarm disarm command accepts no arguments");
    const { alarms } = await client.raw.maintenance.alarm({ action: Action.GET });
    const disarmed = [];
    for (const { memberID, alarm } of alarms) {
      const response = await client.raw.maintenance.alarm({ action: Action.DEACTIVATE, memberID, alarm });
      disarmed.push(...response.alarms);
    }
    print("alarm", { header: undefined, alarms: disarmed });
  },
};

/** `alarm`: commands about alarms. */
export const alarmGroup: CommandGroup = {
  name: "alarm",
  description: "look at alarms and put them out",
  commands: [alarmDisarmCommand, alarmListCommand],
};
