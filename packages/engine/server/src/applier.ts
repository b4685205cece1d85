/**
 * @module Applies the replicated log to the state machine: entry by entry, in order, with no look at a clock, so
 * that the same log gives the same bytes on every member.
 */
import { asBuffer, type Backend, invariant, utf8, utf8Text } from "@conclave/base";
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
import { type ConfChange, type ConfState, confChangeOf, type Entry } from "@conclave/raft";
import type { Alarms } from "./alarms.ts";
import { type Command, type CommandKind, type CommandResponse, decodeCommand } from "./commands.ts";
import { requestKey } from "./ids.ts";
import { type ClusterMember, type Membership, parseMember } from "./membership.ts";
import type { Outcome } from "./proposals.ts";
import { toWireError } from "./wire-error-mapping.ts";

/** The result of any command. */
export type AnyResponse = CommandResponse<CommandKind>;

/** What the applier changes and tells. */
export interface ApplierPorts {
  readonly backend: Backend;
  readonly store: MvccStore;
  readonly lessor: Lessor;
  readonly alarms: Alarms;
  readonly membership: Membership;
  /** The header of a reply, as of now. */
  readonly header: () => ResponseHeader;
  /** Monotonic time, for the start of a lease's life on the leader; it never enters the state. */
  readonly nowMs: () => number;
  /** Tells the waiting request of this member, if there is one, how its entry ended. */
  readonly settle: (key: number, outcome: Outcome<AnyResponse>) => void;
  /** Hands a membership change to raft. */
  readonly applyConfChange: (change: ConfChange) => ConfState;
  /** A compaction was scheduled: deletion may begin. */
  readonly onCompaction: () => void;
}

const consistentIndexKey = utf8("consistent_index");
const termKey = utf8("term");
const confStateKey = utf8("confState");

function uint64Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/** The index of the last entry whose effects a store holds; 0 for a new store. */
export function readConsistentIndex(backend: Backend): number {
  const bytes = backend.get("meta", consistentIndexKey);
  return bytes === undefined ? 0 : Number(asBuffer(bytes).readBigUInt64BE(0));
}

/** The raft configuration a store was left with; undefined before the first membership change was applied. */
export function readConfState(backend: Backend): ConfState | undefined {
  const bytes = backend.get("meta", confStateKey);
  if (bytes === undefined) return undefined;
  // Member ids exceed what JSON numbers hold exactly, so they are read as text.
  const json = JSON.parse(utf8Text(bytes).replace(/\d+/g, '"$&"')) as {
    voters?: string[];
    learners?: string[];
  };
  return {
    voters: (json.voters ?? []).map(BigInt),
    learners: (json.learners ?? []).map(BigInt),
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
}

function formatConfState(confState: ConfState): string {
  const list = (name: string, ids: readonly bigint[]): string =>
    ids.length > 0 ? `"${name}":[${ids.join(",")}],` : "";
  return `{${list("voters", confState.voters)}${list("learners", confState.learners)}"auto_leave":${confState.autoLeave}}`;
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

/** Carries committed entries out on the state machine. */
export class Applier {
  readonly #ports: ApplierPorts;
  #appliedIndex: number;
  #appliedTerm = 0;
  #confState: ConfState;

  /** @param applied - what the store already holds: entries up to here are passed over */
  constructor(ports: ApplierPorts, applied: { readonly index: number; readonly confState: ConfState }) {
    this.#ports = ports;
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
    else if (entry.data.length > 0) this.#applyCommand(entry.data);
  }

  /** Writes the applied index beside its effects; called before each commit of the store. */
  writeConsistentIndex(): void {
    const { backend } = this.#ports;
    backend.put("meta", consistentIndexKey, uint64Bytes(this.#appliedIndex));
    if (this.#appliedTerm > 0) backend.put("meta", termKey, uint64Bytes(this.#appliedTerm));
  }

  #applyCommand(data: Uint8Array): void {
    const command = decodeCommand(data);
    if (command === undefined) return;
    const outcome = this.#carryOut(command);
    this.#ports.settle(requestKey(command.id), outcome);
  }

  /** A refusal is a result like any other: every member comes to it alike. Anything else is a broken rule. */
  #carryOut(command: Command): Outcome<AnyResponse> {
    try {
      this.#refuseUnderAlarm(command);
      const value = this.#execute(command);
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
    if (alarms.isActive(AlarmType.CORRUPT) && command.kind !== "alarm") throw new WireError("Corrupt");
    const grows =
      command.kind === "put" || command.kind === "leaseGrant" || (command.kind === "txn" && writes(command.request));
    if (grows && alarms.isActive(AlarmType.NOSPACE)) throw new WireError("NoSpace");
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
    const { membership, backend } = this.#ports;
    this.#confState = this.#ports.applyConfChange(change);
    switch (change.type) {
      case "addNode":
      case "addLearnerNode":
      case "updateNode":
        membership.add(memberOf(change, membership));
        break;
      case "removeNode":
        membership.remove(change.nodeId);
        break;
    }
    backend.put("meta", confStateKey, utf8(formatConfState(this.#confState)));
  }
}

function memberOf(change: ConfChange, membership: Membership): ClusterMember {
  const described = parseMember(utf8Text(change.context));
  const known = membership.member(change.nodeId);
  return known === undefined ? described : { ...known, peerUrls: described.peerUrls, isLearner: described.isLearner };
}
