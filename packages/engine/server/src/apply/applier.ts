/**
 * @module Applies the replicated log to the state machine: entry by entry, in order, with no look at a clock, so
 * that the same log gives the same bytes on every member.
 */
import { type AuthStore, nobody } from "@conclave/auth";
import { type Backend, invariant } from "@conclave/base";
import type { Lessor } from "@conclave/lease";
import { type MvccStore, saturate } from "@conclave/mvcc";
import { WireError } from "@conclave/protocol";
import {
  AlarmRequest_AlarmAction as AlarmAction,
  type AlarmRequest,
  type AlarmResponse,
  AlarmType,
  type ResponseHeader,
  type TxnRequest,
} from "@conclave/protocol/etcdserverpb";
import { type ConfChange, type ConfState, confChangeOf, type Entry, type SnapshotMetadata } from "@conclave/raft";
import { AuthApplier } from "../auth/auth-applier.ts";
import { authoriseEntry } from "../auth/command-rules.ts";
import type { SimpleTokens } from "../auth/simple-tokens.ts";
import type { Outcome, Submission } from "../consensus/proposals.ts";
import type { Membership } from "../membership/membership.ts";
import { applyMembershipChange, type MembershipDelta, type MembershipRules } from "../membership/membership-changes.ts";
import { toWireError } from "../wire-error-mapping.ts";
import type { Alarms } from "./alarms.ts";
import { writeConfState, writeConsistentIndex } from "./applied-state.ts";
import { type Command, type CommandKind, type CommandResponse, decodeCommand } from "./commands.ts";

/** The result of any command. */
export type AnyResponse = CommandResponse<CommandKind>;

/** What the applier changes and tells. */
export interface ApplierPorts {
  readonly backend: Backend;
  readonly store: MvccStore;
  readonly lessor: Lessor;
  readonly alarms: Alarms;
  readonly auth: AuthStore;
  readonly tokens: SimpleTokens;
  readonly membership: Membership;
  /** What changes of the membership are held against. */
  readonly rules: MembershipRules;
  /** The header of a reply, as of now. */
  readonly header: () => ResponseHeader;
  /** Monotonic time, for the start of a lease's life on the leader; it never enters the state. */
  readonly nowMs: () => number;
  /** The waiting request of this member whose entry this is, if that is known without reading it. */
  readonly proposalOf: (entry: Entry) => Submission | undefined;
  /** Tells that request how its entry ended. */
  readonly settleOwn: (proposal: Submission, outcome: Outcome<AnyResponse>) => void;
  /** Tells the waiting request of this member, if there is one, how its entry ended. */
  readonly settle: (id: bigint, outcome: Outcome<AnyResponse>) => void;
  /** Hands a membership change to raft. */
  readonly applyConfChange: (change: ConfChange) => ConfState;
  /** Members came, left or moved. */
  readonly onMembershipChange: (delta: MembershipDelta) => void;
  /** A compaction was scheduled: deletion may begin. */
  readonly onCompaction: () => void;
  /** A command was applied that may have made the store larger. */
  readonly onGrowth: () => void;
  /** Measures how long commands take; nothing of it enters the state. Default: nobody does. */
  readonly meter?: ApplyMeter | undefined;
}

/** Watches commands being carried out, one at a time. */
export interface ApplyMeter {
  /** One begins. */
  begin(): void;
  /** It has ended. */
  end(kind: CommandKind, succeeded: boolean): void;
}

function isPut(op: TxnRequest["success"][number]): boolean {
  const request = op.request;
  if (request?.$case === "requestTxn") return writes(request.value);
  return request?.$case === "requestPut";
}

/** Whether either branch of a transaction may put. */
function writes(txn: TxnRequest): boolean {
  return txn.success.some(isPut) || txn.failure.some(isPut);
}

/** Whether a command may make the store larger. */
function grows(command: Command): boolean {
  const { kind, request } = command;
  return kind === "put" || kind === "leaseGrant" || (kind === "txn" && writes(request));
}

/** What a cluster with differing histories does not do any more; who its members are can still be changed. */
const refusedIfCorrupt: ReadonlySet<CommandKind> = new Set<CommandKind>([
  "put",
  "deleteRange",
  "txn",
  "compaction",
  "leaseGrant",
  "leaseRevoke",
]);

/** Carries committed entries out on the state machine. */
export class Applier {
  readonly #ports: ApplierPorts;
  readonly #auth: AuthApplier;
  #appliedIndex: number;
  #appliedTerm = 0;
  #confState: ConfState;

  /** @param applied - what the store already holds: entries up to here are passed over */
  constructor(ports: ApplierPorts, applied: { readonly index: number; readonly confState: ConfState }) {
    this.#ports = ports;
    this.#auth = new AuthApplier(ports);
    this.#appliedIndex = applied.index;
    this.#confState = applied.confState;
  }

  /** Index of the last applied entry. */
  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  /** Term of the last entry that was applied in this life; 0 if none was. */
  get appliedTerm(): number {
    return this.#appliedTerm;
  }

  /** The raft configuration as of the last applied entry. */
  get confState(): ConfState {
    return this.#confState;
  }

  /** Takes up where a snapshot ends, whose state the store now holds. */
  restore({ index, term, confState }: SnapshotMetadata): void {
    const { backend } = this.#ports;
    this.#appliedIndex = index;
    this.#appliedTerm = term;
    this.#confState = confState;
    // An etcd of an earlier version does not write all of this itself.
    this.writeConsistentIndex();
    writeConfState(backend, confState);
  }

  /** Applies one committed entry. Entries that the store already holds are passed over. */
  apply(entry: Entry): void {
    if (entry.index <= this.#appliedIndex) return;
    invariant(
      entry.index === this.#appliedIndex + 1,
      "entries are applied without a gap",
      this.#appliedIndex,
      entry.index,
    );
    this.#appliedIndex = entry.index;
    this.#appliedTerm = entry.term;
    if (entry.type !== "normal") this.#applyConfChange(entry);
    else if (entry.data.length > 0) this.#applyCommand(entry);
  }

  /** Writes the applied index beside its effects; called before each commit of the store. */
  writeConsistentIndex(): void {
    writeConsistentIndex(this.#ports.backend, this.#appliedIndex, this.#appliedTerm);
  }

  #applyCommand(entry: Entry): void {
    const { meter } = this.#ports;
    const proposal = this.#ports.proposalOf(entry);
    const command = proposal?.command ?? decodeCommand(entry.data);
    if (command === undefined) return;
    meter?.begin();
    const outcome = this.#carryOut(command);
    meter?.end(command.kind, outcome.ok);
    if (proposal === undefined) this.#ports.settle(command.id, outcome);
    else this.#ports.settleOwn(proposal, outcome);
  }

  /** A refusal is a result like any other: every member comes to it alike. Anything else is a broken rule. */
  #carryOut(command: Command): Outcome<AnyResponse> {
    try {
      this.#refuseUnderAlarm(command);
      if (this.#ports.auth.enabled) authoriseEntry(this.#ports, command, command.caller ?? nobody);
      const value = this.#execute(command);
      if (grows(command)) this.#ports.onGrowth();
      if ("header" in value) value.header = this.#ports.header();
      return { ok: true, value };
    } catch (error) {
      const wireError = toWireError(error);
      if (wireError === undefined) throw error;
      return { ok: false, error: wireError };
    }
  }

  #refuseUnderAlarm(command: Command): void {
    const { alarms } = this.#ports;
    if (!alarms.anyActive) return;
    if (alarms.isActive(AlarmType.CORRUPT) && refusedIfCorrupt.has(command.kind)) throw new WireError("Corrupt");
    if (grows(command) && alarms.isActive(AlarmType.NOSPACE)) throw new WireError("NoSpace");
  }

  #execute(command: Command): AnyResponse {
    const { store, membership } = this.#ports;
    switch (command.kind) {
      case "put":
        return store.put(command.request);
      case "deleteRange":
        return store.deleteRange(command.request);
      case "txn":
        return store.txn(command.request);
      case "compaction":
        store.compact(saturate(command.request.revision));
        this.#ports.onCompaction();
        return { header: undefined };
      case "leaseGrant":
        return this.#grant(command.request.ID, command.request.TTL);
      case "leaseRevoke":
        return this.#revoke(command.request.ID);
      case "leaseCheckpoint":
        for (const checkpoint of command.request.checkpoints)
          this.#ports.lessor.checkpoint(checkpoint, this.#ports.nowMs());
        return { header: undefined };
      case "alarm":
        return this.#alarm(command.request);
      case "clusterVersionSet":
        membership.setClusterVersion(command.request.ver);
        return {};
      case "clusterMemberAttrSet": {
        const { memberID, memberAttributes } = command.request;
        if (memberAttributes !== undefined) membership.setAttributes(memberID, memberAttributes);
        return {};
      }
      case "downgradeInfoSet":
        membership.setDowngradeTarget(command.request.enabled ? command.request.ver : undefined);
        return {};
      case "authenticate":
        return this.#auth.authenticate(command.request, this.#appliedIndex);
      default:
        return this.#auth.apply(command);
    }
  }

  #grant(id: bigint, ttlSec: bigint): CommandResponse<"leaseGrant"> {
    const lease = this.#ports.lessor.grant({ id, ttlSec, nowMs: this.#ports.nowMs() });
    return { header: undefined, ID: id, TTL: lease.ttlSec, error: "" };
  }

  /** Deletes the lease's keys in one revision, then the lease. */
  #revoke(id: bigint): CommandResponse<"leaseRevoke"> {
    const { store, lessor } = this.#ports;
    store.deleteKeys(lessor.keysOf(id));
    lessor.revoke(id);
    return { header: undefined };
  }

  #alarm({ action, memberID, alarm }: AlarmRequest): AlarmResponse {
    const { alarms } = this.#ports;
    switch (action) {
      case AlarmAction.GET:
        return { header: undefined, alarms: alarms.list(alarm === AlarmType.NONE ? undefined : alarm) };
      case AlarmAction.ACTIVATE:
        return { header: undefined, alarms: alarm === AlarmType.NONE ? [] : [alarms.activate(memberID, alarm)] };
      case AlarmAction.DEACTIVATE: {
        const ended = alarms.deactivate(memberID, alarm);
        return { header: undefined, alarms: ended === undefined ? [] : [ended] };
      }
    }
  }

  #applyConfChange(entry: Entry): void {
    const change = confChangeOf(entry);
    invariant(
      change !== undefined && "nodeId" in change,
      "members are changed one at a time, as etcd does",
      entry.index,
    );
    const { membership, backend, rules } = this.#ports;
    const { effective, error, delta } = applyMembershipChange(change, membership, rules);
    this.#confState = this.#ports.applyConfChange(effective);
    writeConfState(backend, this.#confState);
    if (delta !== undefined) this.#ports.onMembershipChange(delta);
    this.#ports.settle(change.id, error === undefined ? { ok: true, value: {} } : { ok: false, error });
  }
}
