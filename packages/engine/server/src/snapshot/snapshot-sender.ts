import { type Backend, type BackendView, utf8, utf8Text } from "@conclave/base";
import type { PeerTransport } from "@conclave/peer";
import type { Message, SnapshotMetadata } from "@conclave/raft";
import { storeTree } from "@conclave/snapshot";
import { readConfState, readConsistentIndex, readTerm } from "../apply/applied-state.ts";
import { formatId } from "../consensus/ids.ts";
import type { Log } from "../log.ts";
import { parseMember } from "../membership/membership.ts";
import type { SnapshotFiles } from "./snapshot-files.ts";

/** What sending snapshots takes. */
export interface SnapshotSenderPorts {
  readonly backend: Backend;
  readonly files: SnapshotFiles;
  readonly transport: Pick<PeerTransport, "sendSnapshot">;
  /** Makes all that is applied durable in the store. */
  readonly flush: () => Promise<void>;
  /** Lets others work between two slices. */
  readonly pause: () => Promise<void>;
  /** Whether this member still leads in a term. */
  readonly leadsIn: (term: number) => boolean;
  /** Told when a snapshot could not be made. */
  readonly onFailure: (to: bigint) => void;
  readonly log: Log;
}

/** Snapshots under way at a time; each is a copy of the store on the disk. */
const concurrentMax = 2;

/**
 * Sends followers that fell too far behind the applied state of this member: the store itself is the snapshot, copied out
 * as etcd's database file. It may be ahead of the one raft named, never behind.
 */
export class SnapshotSender {
  readonly #ports: SnapshotSenderPorts;
  #underWay = 0;

  constructor(ports: SnapshotSenderPorts) {
    this.#ports = ports;
  }

  /** Sends the snapshot that a `MsgSnap` of raft asks for. A failure is reported; raft asks again later. */
  send(message: Message): void {
    const { log, onFailure } = this.#ports;
    if (this.#underWay >= concurrentMax) {
      onFailure(message.to);
      return;
    }
    this.#underWay += 1;
    this.#export(message)
      .catch((error: unknown) => {
        log.warn("could not make a snapshot", { to: formatId(message.to), error: String(error) });
        onFailure(message.to);
      })
      .finally(() => {
        this.#underWay -= 1;
      });
  }

  async #export(message: Message): Promise<void> {
    const { backend, files, flush, pause, leadsIn, transport, log } = this.#ports;
    await flush();
    const view = backend.openView();
    try {
      const database = await files.export(view, pause);
      if (!leadsIn(message.term)) {
        // Another leads by now; whoever gets this would refuse it.
        await database.release();
        return;
      }
      const metadata = metadataOf(view);
      log.info("sends a snapshot", {
        to: formatId(message.to),
        "snapshot-index": metadata.index,
        bytes: database.sizeBytes,
      });
      transport.sendSnapshot(withState(message, view, metadata), database);
    } finally {
      view.close();
    }
  }
}

function metadataOf(view: BackendView): SnapshotMetadata {
  return { index: readConsistentIndex(view), term: readTerm(view), confState: readConfState(view) };
}

function withState(message: Message, view: BackendView, metadata: SnapshotMetadata): Message {
  return { ...message, snapshot: { data: treeOf(view), metadata } };
}

/** What members before 3.6 take the membership from. */
function treeOf(view: BackendView): Uint8Array {
  const members = [...view.scan("members")].map(([, value]) => parseMember(utf8Text(value)));
  const removed = [...view.scan("members_removed")].map(([key]) => BigInt(`0x${utf8Text(key)}`));
  const version = view.get("cluster", utf8("clusterVersion"));
  return storeTree(members, removed, version === undefined ? undefined : utf8Text(version));
}
