/** @module `--feature-gates`: options that are features in etcd 3.6 and later, by the names they have there. */
import { MemberError } from "../member-error.ts";
import type { FeatureOptions } from "./features.ts";
import { flag } from "./scalars.ts";

const optionOfGate = {
  CompactHashCheck: "compactHashCheckEnabled",
  FastLeaseKeepAlive: "fastLeaseKeepAlive",
  InitialCorruptCheck: "initialCorruptCheck",
  LeaseCheckpoint: "experimentalEnableLeaseCheckpoint",
  LeaseCheckpointPersist: "experimentalEnableLeaseCheckpointPersist",
  SetMemberLocalAddr: "setMemberLocalAddr",
  StopGRPCServiceOnDefrag: "stopGrpcServiceOnDefrag",
  TxnModeWriteWithSharedBuffer: "txnModeWriteWithSharedBuffer",
} as const satisfies Readonly<Record<string, keyof FeatureOptions>>;

type GatedOption = (typeof optionOfGate)[keyof typeof optionOfGate];

/** A gate that stands for several: all whose stage it names. */
const optionsOfStage: ReadonlyMap<string, readonly GatedOption[]> = new Map<string, readonly GatedOption[]>([
  ["AllAlpha", Object.values(optionOfGate).filter((option) => option !== "txnModeWriteWithSharedBuffer")],
  ["AllBeta", ["txnModeWriteWithSharedBuffer"]],
]);

/**
 * Adds to what was given the options that its feature gates stand for.
 *
 * @param input - what was given
 * @param sourceOf - the name under which whoever gave an option knows it
 * @throws MemberError `CONFIG` if a gate is not known, or an option was given another value by its own name
 */
export function expandFeatureGates(
  input: Readonly<Record<string, unknown>>,
  sourceOf: (option: string) => string,
): Readonly<Record<string, unknown>> {
  const gates = input.featureGates;
  if (typeof gates !== "string" || gates.trim() === "") return input;
  const refuse = (reason: string): MemberError =>
    new MemberError("CONFIG", `Invalid value ${JSON.stringify(gates)} for ${sourceOf("featureGates")}: ${reason}`);
  const expanded: Record<string, unknown> = { ...input };
  for (const [option, value] of readGates(gates, refuse)) {
    const given = input[option] === undefined ? undefined : flag.safeParse(input[option]).data;
    if (given !== undefined && given !== value) throw refuse(`contradicts ${sourceOf(option)}`);
    expanded[option] = value;
  }
  return expanded;
}

/** The options that gates set; one that is named itself beats one that stands for several. */
function readGates(gates: string, refuse: (reason: string) => MemberError): ReadonlyMap<string, boolean> {
  const single = new Map<string, boolean>();
  const several = new Map<string, boolean>();
  for (const pair of gates.split(",").map((each) => each.trim())) {
    const [name = "", text] = pair.split("=");
    const value = flag.safeParse(text).data;
    if (value === undefined) throw refuse(`'${pair}' must have the form NAME=true or NAME=false`);
    const stage = optionsOfStage.get(name);
    if (stage !== undefined) for (const option of stage) several.set(option, value);
    else if (isGate(name)) single.set(optionOfGate[name], value);
    else throw refuse(`there is no feature '${name}'`);
  }
  return new Map([...several, ...single]);
}

function isGate(name: string): name is keyof typeof optionOfGate {
  return Object.hasOwn(optionOfGate, name);
}
